"""A camera through OpenCV's Video4Linux: its compressed or raw pictures, as the driver gives them.

OpenCV only fetches the bytes; they are decoded here, so that no picture goes through RGB.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext

from stream.capture.camera_mode import CameraMode
from stream.capture.connection import MICROSECONDS, Arrival
from stream.errors import OpenError, SourceError
from stream.frame import StreamInfo
from stream.pixel_format import color_tags, flowing_format, read_planes, without_rgb
from stream.sound import SoundFormat

_RAW = {"YUYV": "yuyv422", "UYVY": "uyvy422", "YUY2": "yuyv422"}


class Video4Linux:
    """One camera, from plugged in to pulled out.

    Args:
        path: Of the device.
        mode: What to ask for, MJPG first.
        timeout_s: Between two pictures, as far as OpenCV gives any: a camera that gives none at all
            it waits for by itself, 10 s.
        capture: Opens the device as ``cv2.VideoCapture`` does.
        clock: Seconds.

    Raises:
        OpenError: It is not there, in use, or gives nothing that can be read.
    """

    def __init__(
        self,
        path: str,
        mode: CameraMode,
        timeout_s: float,
        *,
        capture: Callable[..., Any] = cv2.VideoCapture,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.decode_failures = 0
        self.buffer_s = 0.0
        self.sound: SoundFormat | None = None
        self._path = path
        self._timeout_s = timeout_s
        self._clock = clock
        self._jpeg = VideoCodecContext.create("mjpeg", "r")
        self._device = capture(path, cv2.CAP_V4L2)
        try:
            self._fourcc = self._negotiate(mode)
            self._first = self._first_picture()
            self.info = self._describe(self._first)
        except BaseException:
            self.close()
            raise

    def pictures(self) -> Iterator[Arrival]:
        """See `stream.capture.connection.Connection`."""
        picture = self._first
        while True:
            arrived_s = self._clock()
            yield Arrival(read_planes(picture), round(arrived_s / MICROSECONDS), arrived_s)
            picture = self._next()

    def close(self) -> None:
        """Give the device back."""
        self._device.release()

    def _negotiate(self, mode: CameraMode) -> str:
        """Ask for MJPG and raw bytes; returns the four letters of what it settled on."""
        device = self._device
        if not device.isOpened():
            raise OpenError(_refusal(self._path))
        device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        if mode.size:
            device.set(cv2.CAP_PROP_FRAME_WIDTH, mode.size[0])
            device.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.size[1])
        device.set(cv2.CAP_PROP_FPS, float(mode.rate or 30))
        device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fourcc = int(device.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1")
        if fourcc in ("MJPG", "JPEG", *_RAW):
            device.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return fourcc

    def _first_picture(self) -> av.VideoFrame:
        try:
            return self._next()
        except SourceError as error:
            raise OpenError(f"{self._path}: {error}") from error

    def _next(self) -> av.VideoFrame:
        """The next picture that can be decoded, in time."""
        began = self._clock()
        while self._clock() - began <= self._timeout_s:
            given, array = self._device.read()
            if not given:
                raise SourceError("the camera gives no more pictures")
            picture = self._decoded(array)
            if picture is not None:
                return picture
            self.decode_failures += 1
        raise SourceError(f"no picture could be decoded for {self._timeout_s:g} s")

    def _decoded(self, array: np.ndarray) -> av.VideoFrame | None:
        if self._fourcc in _RAW:
            array = np.ascontiguousarray(array)
            return av.VideoFrame.from_ndarray(array, format=_RAW[self._fourcc])
        if self._fourcc in ("MJPG", "JPEG"):
            try:
                return next(iter(self._jpeg.decode(av.Packet(array.tobytes()))), None)
            except av.FFmpegError:
                return None
        return without_rgb(av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="bgr24"))

    def _describe(self, picture: av.VideoFrame) -> StreamInfo:
        rate = self._device.get(cv2.CAP_PROP_FPS)
        return StreamInfo(
            name=self._path,
            width=picture.width,
            height=picture.height,
            pixel_format=flowing_format(picture.format.name),
            source_pixel_format=picture.format.name,
            time_base=MICROSECONDS,
            frame_rate=Fraction(rate).limit_denominator(1001) if rate > 0 else None,
            live=True,
            codec="mjpeg" if self._fourcc in ("MJPG", "JPEG") else "",
            color=color_tags(picture),
        )


def _refusal(path: str) -> str:
    if not Path(path).exists():
        return f"{path} does not exist; plug the camera in, and see deblur live --list"
    return f"{path} cannot be opened; another program may be using it, or you may not read it"
