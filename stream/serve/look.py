"""What becomes of a video, while it is being worked on and for browsers that can't play it.

Everything here shows both pictures of a frame in one, the original above, as a player shows them:
upright, and with square pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from numpy.typing import NDArray

from stream.capture.container import open_container
from stream.capture.file import FileSource
from stream.frame import Frame, StreamInfo
from stream.inference.deblurrers import Choice, Deblurrers
from stream.inference.shared import SharedDeblurrer, SharedStream
from stream.pyav import exact, open_output
from stream.rgb import to_rgb

LOOK_PIXELS = 960
"""Longest side of a picture that is looked at during the work."""

PREVIEW_PIXELS = 1280
"""Longest side of a picture of the preview."""

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_COPIED_SOUND = frozenset({"aac", "mp3"})  # what every browser plays from an MP4


class Look:
    """The latest frame before and after. Written on one thread, read on another."""

    def __init__(self) -> None:
        self.number = 0
        self._pair: tuple[Frame, Frame, StreamInfo] | None = None

    def show(self, before: Frame, after: Frame, info: StreamInfo) -> None:
        """Replace what was shown before."""
        self._pair = (before, after, info)
        self.number += 1

    def jpeg(self) -> bytes | None:
        """Both pictures; None where there are none yet."""
        if self._pair is None:
            return None
        before, after, info = self._pair
        both = _both(before, after, info, LOOK_PIXELS)
        _, data = cv2.imencode(
            ".jpg", cv2.cvtColor(both, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 92)
        )
        return data.tobytes()


class LookedAt:
    """A recorded video's `stream.stages.Processor` on the shared engine, which can be watched."""

    def __init__(
        self, shared: SharedDeblurrer, models: Deblurrers, choice: Choice, look: Look
    ) -> None:
        self._shared = shared
        self._models = models
        self._choice = choice
        self._look = look
        self._stream: SharedStream | None = None
        self._info: StreamInfo | None = None
        self._ahead: deque[Frame] = deque()  # frames whose results have not come

    def start(self, info: StreamInfo) -> None:
        """Open a stream; what its frames need is compiled with the first."""
        self._info = info
        self._ahead.clear()
        self._stream = self._shared.open(live=False)

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Wait for the frame's turn and the results, which may be of earlier frames."""
        stream = self._opened()
        frame = frame.replace(stream_id=stream.stream_id)
        self._ahead.append(frame)
        models, choice = self._models, self._choice
        return self._shown(stream.run(lambda: models.process(frame, choice), frames=1).result())

    def flush(self) -> Sequence[Frame]:
        """Wait for what an earlier frame has waited for."""
        stream, models, choice = self._opened(), self._models, self._choice
        return self._shown(stream.run(lambda: models.flush(choice)).result())

    def _opened(self) -> SharedStream:
        if self._stream is None:
            raise RuntimeError("a processor is used between start() and close()")
        return self._stream

    def _shown(self, results: Sequence[Frame]) -> Sequence[Frame]:
        for after in results:
            before = self._ahead.popleft()
            if self._info is not None:
                self._look.show(before, after, self._info)
        return results

    def close(self) -> None:
        """Close the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def write_preview(original: Path, cleaned: Path, target: Path, stop: Callable[[], bool]) -> None:
    """Make an H.264 video of both pictures, with the sound where that can be copied.

    Args:
        original: As it was uploaded.
        cleaned: What was made of it, frame for frame.
        target: An MP4 file, which appears when it is whole.
        stop: Whether to give up, and leave nothing.

    Raises:
        DeblurError: One of the two cannot be read.
    """
    before, after = FileSource(original), FileSource(cleaned)
    partial = target.with_suffix(".partial")
    try:
        with (
            open_container(original) as container,
            open_output(
                str(partial), format_name="mp4", options={"movflags": "+faststart"}
            ) as made,
        ):
            _encode(before, after, container, made, stop)
        if not stop():
            partial.replace(target)
    finally:
        before.close()
        after.close()
        partial.unlink(missing_ok=True)


def _encode(
    before: FileSource,
    after: FileSource,
    container: InputContainer,
    made: OutputContainer,
    stop: Callable[[], bool],
) -> None:
    info = before.info
    video = made.add_stream("libx264", options={"preset": "veryfast", "crf": "18"})
    video.codec_context.time_base = Fraction(1, 90_000)
    video.pix_fmt = "yuv420p"
    sound = _sound_of(container)
    packets: Iterator[Packet[AudioStream]] = iter(())
    if sound is not None:
        copied = made.add_stream_from_template(sound)
        packets = (packet for packet in container.demux(sound) if packet.size)
    waiting = next(packets, None)
    first: Fraction | None = None
    for one, other in zip(before.frames(), after.frames(), strict=False):
        if stop():
            return
        time = one.pts * one.time_base
        both = _both(one, other, info, PREVIEW_PIXELS)
        if first is None:
            first = time
            video.height, video.width = both.shape[:2]
        while waiting is not None and _time(waiting) <= time:
            if _time(waiting) >= first:
                _move(waiting, first)
                waiting.stream = copied
                made.mux(waiting)
            waiting = next(packets, None)
        picture = av.VideoFrame.from_ndarray(both, format="rgb24")
        picture.pts = round((time - first) * 90_000)
        picture.time_base = Fraction(1, 90_000)
        made.mux(video.encode(picture))
    made.mux(video.encode(None))


def _sound_of(container: InputContainer) -> AudioStream | None:
    for stream in container.streams.audio:
        if stream.codec_context and stream.codec_context.name in _COPIED_SOUND:
            return stream
    return None


def _time(packet: Packet[AudioStream]) -> Fraction:
    return (packet.pts or 0) * exact(packet.time_base)


def _move(packet: Packet[AudioStream], first: Fraction) -> None:
    shift = round(first / exact(packet.time_base))
    packet.pts = (packet.pts or 0) - shift
    packet.dts = None if packet.dts is None else packet.dts - shift


def _both(before: Frame, after: Frame, info: StreamInfo, longest: int) -> NDArray[np.uint8]:
    """(2 H, W, 3) uint8 RGB, ``before`` above; both sides even."""
    return np.concatenate(list(_upright([before, after], info, longest)))


def _upright(
    frames: Sequence[Frame], info: StreamInfo, longest: int
) -> Iterator[NDArray[np.uint8]]:
    aspect = float(info.sample_aspect_ratio or 1)
    width, height = frames[0].width * aspect, float(frames[0].height)
    scale = min(1.0, longest / max(width, height))
    size = tuple(max(2, round(side * scale / 2) * 2) for side in (width, height))
    for frame in frames:
        picture = cv2.resize(to_rgb(frame), size, interpolation=cv2.INTER_AREA)
        turn = _TURNS.get(info.rotation)
        yield np.asarray(picture if turn is None else cv2.rotate(picture, turn), np.uint8)
