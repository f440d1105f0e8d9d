"""Frames into a file, a playlist or the network as they come: encoded with no delay.

What has been written can be played at any moment, whatever happens next; so nothing is removed
after a failure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from stream.errors import SinkError
from stream.frame import Frame, StreamInfo
from stream.output.checked_files import CheckedFile, CheckedFiles
from stream.output.encoding import Encoding, written_color
from stream.output.live_sound import SoundWriter, sound_writer
from stream.output.muxer import push_error, write_error
from stream.output.partial import require_free
from stream.output.target import Target
from stream.pixel_format import write_picture
from stream.pyav import open_output
from stream.sound import SoundFormat, SoundTrack

_TICKS = 90_000
_LEAST = _TICKS // 1000  # FLV and Matroska count in milliseconds
_KEYFRAMES_S = 2
_FORMAT = "yuv420p"


class LiveVideo:
    """H.264, 4:2:0, 8 bits, without B-frames: what every player and server takes.

    Frames keep their times, counted from the first one. Odd sizes lose their last row or column.

    Args:
        target: Where to.
        crf: Constant quality of x264, smaller is better.
        overwrite: Whether a file may be there already.
        sound: What is to be heard, from the making on; None for silent video.
        on_message: Told where sound has to be left out.
    """

    def __init__(
        self,
        target: Target,
        *,
        crf: int = 20,
        overwrite: bool = False,
        sound: SoundTrack | None = None,
        on_message: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._target = target
        self._crf = crf
        self._overwrite = overwrite
        self._track = sound
        self._reader = sound.reader() if sound else None
        self._say = on_message
        self._sound: SoundWriter | None = None
        self._refused: SoundFormat | None = None
        self._heard_s = Fraction(-1)
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._files = CheckedFiles()
        self._file: CheckedFile | None = None
        self._info: StreamInfo | None = None
        self._first: Fraction | None = None
        self._last = -_LEAST
        self._interval = 0

    def open(self, info: StreamInfo) -> None:
        """Connect; a file is created with its first frame, so that no start leaves an empty one.

        Raises:
            SinkError: The place is taken, or nobody answers there.
        """
        self._info = info
        if self._target.path is None:
            self._start(info)
            return
        if self._target.format_name == "hls":
            self._target.path.parent.mkdir(parents=True, exist_ok=True)
        require_free(self._target.path, overwrite=self._overwrite)

    def write(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            SinkError: The disk is full, or the receiver gone.
        """
        if self._info is None:
            raise RuntimeError("a LiveVideo is written to between open() and finish()")
        stream = self._stream or self._start(self._info)
        context = stream.codec_context
        picture = write_picture(frame, _FORMAT, (context.width, context.height))
        before = self._last
        picture.pts = self._due(frame)
        picture.time_base = context.time_base
        self._interval = self._last - max(before, 0)
        self._hear(self._last)
        self._mux(stream.encode(picture))

    def finish(self) -> None:
        """Write the rest and close.

        Raises:
            SinkError: It could not be completed; what was written before stays.
        """
        if self._stream is not None:
            self._hear(self._last + self._interval)
            if self._sound is not None:
                self._mux(self._sound.finish())
            self._mux(self._stream.encode(None))
        try:
            self._close()
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def abort(self) -> None:
        """Close; what was written stays."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._close()

    def _start(self, info: StreamInfo) -> VideoStream:
        target = self._target
        playlist = target.format_name == "hls"  # it opens its pieces itself
        try:
            if target.path is not None and not playlist:
                self._file = self._files.open(target.url)
            self._container = open_output(
                self._file or target.url,
                format_name=target.format_name,
                options=target.options,
                io_open=self._files.open if playlist else None,
            )
            self._stream = self._encoder(self._container, info)
            self._add_sound(self._container)
            self._container.start_encoding()
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
        return self._stream

    def _close(self) -> None:
        container, self._container = self._container, None
        file, self._file = self._file, None
        if self._reader is not None:
            self._reader.close()
        if self._sound is not None:
            self._sound.close()
        try:
            if container is not None:
                container.close()
        finally:
            if file is not None:
                file.close()
        self._files.check()

    def _failure(self, error: Exception) -> SinkError:
        make = write_error if self._target.path is not None else push_error
        return make(self._target.name, error)

    def _encoder(self, container: OutputContainer, info: StreamInfo) -> VideoStream:
        rate = (info.frame_rate or Fraction(30)).limit_denominator(1001)
        options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(self._crf)}
        stream = container.add_stream("libx264", rate=rate, options=options)
        context = stream.codec_context
        context.width, context.height = max(2, info.width & ~1), max(2, info.height & ~1)
        context.pix_fmt = _FORMAT
        context.time_base = stream.time_base = Fraction(1, _TICKS)
        context.gop_size = max(1, round(_KEYFRAMES_S * rate))
        context.flags |= Flags.global_header  # the tee muxer does not ask for it
        color = written_color(info, Encoding("libx264", _FORMAT, {}))
        context.color_range = color.range
        context.color_primaries = color.primaries
        context.color_trc = color.transfer
        context.colorspace = color.matrix
        if info.sample_aspect_ratio is not None:
            context.sample_aspect_ratio = info.sample_aspect_ratio
        return stream

    def _due(self, frame: Frame) -> int:
        """In ticks from the first frame, and at least a millisecond after the one before."""
        seconds = frame.pts * frame.time_base
        if self._first is None:
            self._first = seconds
        self._last = max(round((seconds - self._first) * _TICKS), self._last + _LEAST)
        return self._last

    def _add_sound(self, container: OutputContainer) -> None:
        """Make room for the sound that the source has by now."""
        if self._track is None or self._track.format is None:
            return
        try:
            self._sound = sound_writer(container, self._track.format, self._target.sounds)
        except (av.FFmpegError, ValueError):
            self._refuse(self._track.format, "cannot be decoded")

    def _hear(self, before: int) -> None:
        """Write what begins before this moment, in ticks from the first frame."""
        if self._reader is None or self._track is None or self._first is None:
            return
        for packet in self._reader.take(self._first + Fraction(before, _TICKS)):
            start_s = packet.start_s - self._first
            if start_s < 0:
                continue  # from before the first frame
            if self._sound is None or not self._sound.takes(packet.format):
                self._refuse(packet.format, "was not there when it began")
            elif start_s > self._heard_s:
                self._heard_s = start_s
                self._mux(self._sound.write(packet, start_s))
                continue
            self._track.lose()

    def _refuse(self, sound: SoundFormat, why: str) -> None:
        if sound != self._refused:
            self._refused = sound
            self._say(
                f"{self._target.name}: sound in {sound.codec}, {sound.rate} Hz, {why}: left out"
            )

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        if self._container is None:
            return
        try:
            for packet in packets:
                self._container.mux(packet)
            self._files.check()
        except (av.FFmpegError, OSError) as error:
            raise self._failure(error) from error
