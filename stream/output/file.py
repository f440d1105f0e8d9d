"""Frames into a video file: encoded at their own times, whole or not there at all."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TypeVar

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from stream.containers import Container, container_of
from stream.errors import SinkError
from stream.frame import Frame, StreamInfo
from stream.output.encoder import EncoderOptions, choose_encoding
from stream.output.encoding import Encoding, add_video_stream, set_decode_times, written_color
from stream.output.muxer import open_muxer, write_error
from stream.output.palette import with_palette
from stream.output.partial import PartialFile
from stream.output.priority import start_encoding
from stream.pixel_format import format_of, tag, write_picture

T = TypeVar("T")


class VideoWriter:
    """Encodes frames into one video file, without sound.

    A stream that starts before time 0 is moved to start at 0: MP4 would cut what is before.

    Args:
        path: The file; its suffix names the container unless ``container`` does.
        options: Codec and quality.
        overwrite: Whether a file may be there already.
        container: What it is written as.
        encoding: Settings chosen before; otherwise `open` chooses.
        shown_as: How errors name the file, where it is a part of another.
        shift: Added to every pts; None moves a stream that starts before 0 to 0.
    """

    def __init__(
        self,
        path: str | Path,
        options: EncoderOptions | None = None,
        *,
        overwrite: bool = False,
        container: Container | None = None,
        encoding: Encoding | None = None,
        shown_as: Path | None = None,
        shift: int | None = None,
    ) -> None:
        self.warnings: list[str] = []
        self._path = Path(path)
        self._shown_as = shown_as or self._path
        self._options = options or EncoderOptions()
        self._overwrite = overwrite
        self._kind = container or container_of(self._path)
        self._encoding = encoding
        self._file: PartialFile | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._given_shift = shift
        self._shift = 0
        self._info: StreamInfo | None = None
        self._last_pts: int | None = None
        self._muxed = False

    def open(self, info: StreamInfo) -> None:
        """Choose the encoder and write the header.

        Raises:
            SinkError: The place will not do, or no encoder takes the stream.
        """
        self._file = PartialFile(self._path, overwrite=self._overwrite)
        if self._encoding is None:
            self._encoding, self.warnings = choose_encoding(info, self._options, self._kind.muxer)
        self._info = info
        given = self._given_shift
        self._shift = max(0, -info.start_pts) if given is None else given
        try:
            self._container = open_muxer(self._file.path, self._kind, info)
            self._stream = add_video_stream(self._container, info, self._encoding)
            start_encoding(self._container)
        except (av.FFmpegError, OSError) as error:
            raise write_error(self._shown_as, error) from error

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            SinkError: The encoder or the disk failed, or the frame does not follow the last one.
        """
        self._require_fitting(frame)
        encoding = self._opened(self._encoding)
        picture = _picture(frame, encoding)
        color = written_color(self._opened(self._info), encoding)
        tag(picture, color)  # ProRes reads them there
        picture.pts = frame.pts + self._shift
        picture.time_base = frame.time_base
        picture.duration = frame.duration
        self._encode(picture)

    def finish(self) -> None:
        """Drain the encoder, complete the file and give it its name.

        Raises:
            SinkError: The encoder or the disk failed.
        """
        self._encode(None)
        container, file = self._opened(self._container), self._opened(self._file)
        try:
            container.close()
        except (av.FFmpegError, OSError) as error:
            raise write_error(self._shown_as, error) from error
        file.commit()

    def abort(self) -> None:
        """Remove what was written."""
        if self._container is not None:
            with contextlib.suppress(av.FFmpegError, OSError):
                self._container.close()
        if self._file is not None:
            self._file.discard()

    def _require_fitting(self, frame: Frame) -> None:
        """PyAV would scale another size, and libx264 move a repeated pts, without a word."""
        info = self._opened(self._info)
        layout = format_of(frame.planes, rgb=frame.color.rgb, alpha=frame.alpha is not None)
        size = (frame.width, frame.height, layout)
        if size != (info.width, info.height, info.pixel_format):
            raise SinkError(f"{self._shown_as}: {frame.planes!r} does not fit {info.pixel_format}")
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise SinkError(f"{self._shown_as}: pts {frame.pts} comes after {self._last_pts}")
        self._last_pts = frame.pts

    def _encode(self, picture: av.VideoFrame | None) -> None:
        """Encode one picture, or with None the rest."""
        container, stream = self._opened(self._container), self._opened(self._stream)
        try:
            packets = stream.encode(picture)
            if picture is None and not self._muxed:
                set_decode_times(packets)
            container.mux(packets)
        except (av.FFmpegError, OSError) as error:
            raise write_error(self._shown_as, error) from error
        self._muxed = self._muxed or bool(packets)

    def _opened(self, part: T | None) -> T:
        if part is None:
            raise RuntimeError("a VideoWriter is written to between open() and finish()")
        return part


def _picture(frame: Frame, encoding: Encoding) -> av.VideoFrame:
    if encoding.pixel_format != "pal8":
        return write_picture(frame, encoding.pixel_format, limited_range=encoding.limited)
    return with_palette(write_picture(frame, "rgb24" if frame.alpha is None else "rgba"))
