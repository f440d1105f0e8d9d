"""Frames into a file, a playlist or the network as they come: encoded with no delay.

What has been written can be played at any moment, whatever happens next; so nothing is removed
after a failure.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.stream import VideoStream

from stream.errors import SinkError
from stream.frame import Frame, StreamInfo
from stream.output.checked_files import CheckedFile, CheckedFiles
from stream.output.encoder import written_color
from stream.output.muxer import write_error
from stream.output.partial import require_free
from stream.output.target import Target
from stream.pixel_format import write_picture
from stream.pyav import open_output

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
    """

    def __init__(self, target: Target, *, crf: int = 20, overwrite: bool = False) -> None:
        self._target = target
        self._crf = crf
        self._overwrite = overwrite
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._files = CheckedFiles()
        self._file: CheckedFile | None = None
        self._info: StreamInfo | None = None
        self._first: Fraction | None = None
        self._last = -_LEAST

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
        picture.pts = self._due(frame)
        picture.time_base = context.time_base
        self._encode(picture)

    def finish(self) -> None:
        """Write the rest and close.

        Raises:
            SinkError: It could not be completed; what was written before stays.
        """
        self._encode(None)
        try:
            self._close()
        except (av.FFmpegError, OSError) as error:
            raise write_error(self._target.name, error) from error

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
            self._container.start_encoding()
        except av.error.ProtocolNotFoundError as error:
            raise SinkError(f"{target.name}: this build of FFmpeg has no such protocol") from error
        except (av.FFmpegError, OSError) as error:
            raise write_error(target.name, error) from error
        return self._stream

    def _close(self) -> None:
        container, self._container = self._container, None
        file, self._file = self._file, None
        try:
            if container is not None:
                container.close()
        finally:
            if file is not None:
                file.close()
        self._files.check()

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
        color = written_color(info, _FORMAT)
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

    def _encode(self, picture: av.VideoFrame | None) -> None:
        """Encode one picture, or with None the rest."""
        if self._stream is None or self._container is None:
            return
        try:
            self._container.mux(self._stream.encode(picture))
            self._files.check()
        except (av.FFmpegError, OSError) as error:
            raise write_error(self._target.name, error) from error
