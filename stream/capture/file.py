"""A recorded video as a source: every picture once, at its own time, in its own format.

Decodes packet by packet, so that a damaged packet costs one picture: it is counted, and the last
good picture is repeated in its place. A file that ends early ends there, and how many pictures
should have followed is told.
Owns the container; knows no encoder and no model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from stream.capture.container import (
    open_container,
    packets_of,
    reason,
    transparent_decoder,
)
from stream.capture.deinterlace import Deinterlacer
from stream.capture.film import picture_stream
from stream.capture.kinds import without_frames
from stream.capture.pace import frame_rate
from stream.capture.parts import Parts, is_counted, nominal_step
from stream.capture.side_data import display_matrix, hdr_metadata, not_carried
from stream.capture.timeline import Place, Timeline
from stream.capture.truncation import is_truncated, unread
from stream.containers import is_indexed, is_steady
from stream.errors import DecodeError, OpenError, SourceError
from stream.frame import Discontinuity, Frame, StreamInfo
from stream.pixel_format import as_flowing, color_tags, flowing_format, read_alpha, read_planes
from stream.pyav import exact


class _Origin(NamedTuple):
    """Where a decoded picture comes from.

    Attributes:
        position: Of its packet in the file, in bytes; -1 where the container does not tell.
        part: How many times the file's clock has begun anew before it.
        size: Of its packet, in bytes.
    """

    position: int = -1
    part: int = 0
    size: int = 0


class FileSource:
    """The frames of one video file.

    Args:
        path: The file.
        max_failures: Give up after this many packets in a row that cannot be decoded.
        max_pixels: Give up at a picture of more, before there is memory for it.

    Attributes:
        index: Of the next frame.
        position: Of the packet in the file that the last frame came from, in bytes: no other frame
            has it. -1 where the container does not tell.
        packet_size: Of the same packet, in bytes.
        frames_missing: About how many the container promises that are not in it; known in the
            end.
        end: The pts at which the last picture ends; known in the end.

    Raises:
        OpenError: It cannot be opened, or holds no video.
    """

    def __init__(
        self, path: str | Path, *, max_failures: int = 30, max_pixels: int | None = None
    ) -> None:
        self.decode_failures = 0
        self.frames_missing = 0
        self._path = Path(path)
        self._max_failures = max_failures
        self._max_pixels = max_pixels
        self._failures_in_a_row = 0
        self.index = 0
        self.end = 0
        self.position = -1
        self.packet_size = 0
        self._part = 0
        self._ends_in_damage = False
        self._read_to = 0
        self._open()
        try:
            self._first = self._first_picture()
            self._info = self._describe(self._first)
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        """Begin at the start of the file."""
        self._container = open_container(self._path)
        try:
            self._stream = picture_stream(self._container, self._path)
            self._time_base = exact(self._stream.time_base)
            for other in self._container.streams:
                if other.index != self._stream.index:
                    other.discard = Discard.all
            # Slices, not frames: with frame threads the error of one packet comes with a later
            # one, and at the end of the file takes good pictures with it. 1080p H.264 decodes at
            # 150 frames a second in one thread.
            self._stream.thread_type = "SLICE"
            self._decoder = transparent_decoder(self._stream) or self._stream.codec_context
            self._decoder.flags |= Flags.copy_opaque  # pictures know their packets
            if self._max_pixels:
                self._decoder.options = {"max_pixels": str(self._max_pixels)}
            # AVI has no pts: FFmpeg makes them up, and shuffles those of reordered H.264
            self._shown_as_decoded = is_steady(self._container.format.name)
        except BaseException:
            self._container.close()
            raise
        self._begin()

    def _begin(self, skip: int = 0) -> None:
        """Forget what was read, and decode what comes after ``skip`` packets of the video."""
        self._failures_in_a_row = 0
        self._reached: int | None = None  # the pts at which what was read ends
        self._damaged_at: int | None = None  # the same where something was unreadable, until shown
        self._parts = Parts(self._container, self._stream)
        self._timeline = Timeline(nominal_step(self._stream))
        self._deinterlacer = Deinterlacer(self._stream)
        self._pictures = self._decode(skip)

    @property
    def info(self) -> StreamInfo:
        """Known from the first picture, which is decoded on opening."""
        return self._info

    def frames(self) -> Iterator[Frame]:
        """Every picture; see `stream.stages.Source.frames`.

        Raises:
            DecodeError: Too many failures in a row, or the size changes midway.
        """
        last = self._first
        place = self._timeline.place(self._time(last))
        yield from self._repeat(last, place.lost)  # lost before anything came: show what follows
        yield self._frame(last, place.pts, place.backwards)
        for picture in self._pictures:
            self._require_same_format(picture)
            before, place = place, self._timeline.place(self._time(picture))
            self._count_hole(before.pts, place)
            yield from self._repeat(last, place.lost)
            yield self._frame(picture, place.pts, place.backwards)
            last = picture
        rest = self._timeline.rest()
        yield from self._repeat(last, rest)
        promised = self._promised_end()
        if self._ends_in_damage or self._is_truncated():
            rest_of_it = 0
            if promised is not None and self._reached is not None:
                rest_of_it = round((promised - self._reached) / nominal_step(self._stream))
            self.frames_missing += max(1, rest_of_it)
            promised = None
        self.frames_missing += self._unread_frames()
        shown = rest[-1] if rest else place.pts
        self.end = shown + (last.duration or nominal_step(self._stream))
        # of reordered pictures MP4 has no durations, but it has the length of the whole
        if promised and promised > shown and is_indexed(self._container.format.name):
            self.end = promised

    @property
    def searchable(self) -> bool:
        """Whether a search by time cannot come to another place of the same time."""
        return is_counted(self._container)

    def search(self, pts: int) -> None:
        """Let `frames` begin at a keyframe about a second before ``pts``, if there is one.

        What is delivered then is as good as the container's index, and on the clock of its first
        part: compare it with what is known.

        Raises:
            SourceError: Nothing can be read there.
        """
        time_base = self._info.time_base
        try:
            self._container.seek(pts - round(1 / time_base), stream=self._stream)
        except (av.FFmpegError, OSError, OverflowError) as error:
            raise SourceError(f"{self._path} cannot be searched ({reason(error)})") from error
        self._begin()
        self._take_first(pts)

    def pass_to(self, pts: int) -> None:
        """Let `frames` begin like `search`, where counting from the start of the file leads.

        Everything up to there is read, but not decoded.

        Raises:
            SourceError: It cannot be read, or ends before that.
        """
        before = pts - round(1 / self._info.time_base)
        keyframe = 0
        self.close()
        self._open()
        for number, packet in enumerate(self._packets()):
            self._parts.move(packet)
            time = self._time(packet)
            if packet.dts is not None and packet.dts > pts:
                break
            if packet.is_keyframe and time is not None and time <= before:
                keyframe = number
        self.close()
        self._open()
        self._begin(keyframe)
        self._take_first(pts)

    def _take_first(self, pts: int) -> None:
        first = next(self._pictures, None)
        if first is None:
            raise SourceError(f"{self._path} shows no picture after the one at {pts}")
        self._first = first

    def stop(self) -> None:
        """Nothing to cut short: a file does not wait."""

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _first_picture(self) -> av.VideoFrame:
        picture = next(self._pictures, None)
        if picture is None:
            raise OpenError(f"{self._path} {without_frames(self._path)}")
        return picture

    def _packets(self) -> Iterator[Packet[Stream]]:
        return packets_of(self._container, [self._stream], self._count_damage)

    def _decode(self, skip: int) -> Iterator[av.VideoFrame]:
        for number, packet in enumerate(self._packets()):
            self._ends_in_damage = False
            begins = self._parts.move(packet)
            if number < skip:
                continue
            if begins:
                yield from self._drained()
                self._decoder.flush_buffers()
            if not packet.is_discard:
                self._expect(packet)
            position = -1 if packet.pos is None else packet.pos
            self._read_to = max(self._read_to, position + packet.size)
            packet.opaque = _Origin(position, len(self._parts.begin_s), packet.size)
            for picture in self._decode_one(packet):
                yield from self._deinterlacer.push(picture)
        yield from self._drained()

    def _drained(self) -> Iterator[av.VideoFrame]:
        """What the decoder and the deinterlacer still hold."""
        for picture in self._decode_one(None):
            yield from self._deinterlacer.push(picture)
        yield from self._deinterlacer.flush()

    def _decode_one(self, packet: Packet[Stream] | None) -> list[av.VideoFrame]:
        """The pictures that come out; `None` drains the decoder."""
        try:
            pictures = self._decoder.decode(cast("Packet[VideoStream] | None", packet))
        except av.FFmpegError as error:
            self._count_failure(error)
            return []
        if pictures:
            self._failures_in_a_row = 0
        return pictures

    def _expect(self, packet: Packet[Stream]) -> None:
        pts = self._time(packet)
        self._timeline.expect(pts)
        if pts is None:
            return
        end = pts + (packet.duration or nominal_step(self._stream))
        self._reached = end if self._reached is None else max(self._reached, end)

    def _count_hole(self, before: int, place: Place) -> None:
        """Count the pictures for which there is time behind damage, but nothing came.

        MP4 and MOV have none: their index has every picture.
        """
        if self._damaged_at is None:
            return
        if not is_indexed(self._container.format.name):
            room = round((place.pts - before) / nominal_step(self._stream)) - 1
            self.frames_missing += max(0, room - len(place.lost))
        if place.pts >= self._damaged_at:
            self._damaged_at = None

    def _promised_end(self) -> int | None:
        """The pts at which the video ends, as the container has it."""
        duration_s, time_base = _duration_s(self._stream, self._container), self._time_base
        if duration_s is None or not time_base:
            return None
        return (self._stream.start_time or 0) + round(duration_s / time_base)

    def _is_truncated(self) -> bool:
        try:
            return self._path.is_file() and is_truncated(self._path)
        except OSError as error:
            raise SourceError(f"{self._path}: reading failed ({reason(error)})") from error

    def _unread_frames(self) -> int:
        """About how many frames lie behind where FFmpeg stopped to read."""
        if not self._path.is_file():
            return 0
        try:
            size, left = self._path.stat().st_size, unread(self._path, self._read_to)
        except OSError as error:
            raise SourceError(f"{self._path}: reading failed ({reason(error)})") from error
        return max(1, round(self.index * left / (size - left))) if left else 0

    def _count_damage(self) -> None:
        self.decode_failures += 1
        self._damaged_at, self._ends_in_damage = self._reached, True

    def _count_failure(self, error: av.FFmpegError) -> None:
        width, height = self._decoder.width, self._decoder.height
        if self._max_pixels and width * height > self._max_pixels:
            raise DecodeError(
                f"{self._path}: a picture of {width}x{height} comes after frame {self.index}, and "
                f"{self._max_pixels / 1e6:.1f} megapixels are allowed"
            ) from error
        self.decode_failures += 1
        self._failures_in_a_row += 1
        self._damaged_at = self._reached  # Matroska may lose whole stretches there without a word
        self._timeline.miss()
        if self._failures_in_a_row > self._max_failures:
            raise DecodeError(
                f"{self._path}: {self._failures_in_a_row} pictures in a row cannot be decoded "
                f"after frame {self.index} ({reason(error)}); cut the file there"
            ) from error

    def _frame(self, picture: av.VideoFrame, pts: int, backwards: bool = False) -> Frame:
        origin = picture.opaque if isinstance(picture.opaque, _Origin) else _Origin()
        backwards = backwards or origin.part != self._part
        self.position, self._part, self.packet_size = origin
        discontinuity = Discontinuity.PTS_BACKWARDS if backwards else None
        flowing = as_flowing(picture)
        frame = Frame(
            planes=read_planes(flowing),
            pts=pts,
            time_base=self._info.time_base,
            duration=max(0, picture.duration),
            color=self._info.color,
            alpha=read_alpha(flowing),
            index=self.index,
            captured_at=time.perf_counter(),
            discontinuity=discontinuity if self.index else Discontinuity.START,
        )
        self.index += 1
        return frame

    def _repeat(self, picture: av.VideoFrame, lost: tuple[int, ...]) -> Iterator[Frame]:
        for pts in lost:
            yield self._frame(picture, pts)

    def _require_same_format(self, picture: av.VideoFrame) -> None:
        now = (picture.width, picture.height, flowing_format(picture.format.name))
        info = self._info
        before = (info.width, info.height, info.pixel_format)
        if now != before:
            raise DecodeError(
                f"{self._path} changes from {before[0]}x{before[1]} {before[2]} to "
                f"{now[0]}x{now[1]} {now[2]} at frame {self.index}, which is not "
                "supported; split it there"
            )

    def _time(self, one: Packet[Stream] | av.VideoFrame) -> int | None:
        """The pts of a packet or picture, as far as it is to be believed."""
        return one.dts if one.pts is None or self._shown_as_decoded else one.pts

    def _describe(self, picture: av.VideoFrame) -> StreamInfo:
        stream, time_base = self._stream, self._time_base
        if not time_base:
            raise OpenError(f"{self._path}: its video has no time base; remux it with ffmpeg")
        duration_s = _duration_s(stream, self._container)
        rate = frame_rate(self._path, stream)
        estimate = stream.frames or (round(duration_s * rate) if duration_s and rate else None)
        return StreamInfo(
            name=str(self._path),
            width=picture.width,
            height=picture.height,
            pixel_format=flowing_format(picture.format.name),
            source_pixel_format=picture.format.name,
            time_base=time_base,
            start_pts=self._time(picture) or 0,
            frame_rate=rate,
            frames_estimate=estimate,
            duration_s=None if duration_s is None else float(duration_s),
            codec=stream.codec_context.codec.canonical_name,
            profile=stream.codec_context.profile or "",
            color=color_tags(picture),
            sample_aspect_ratio=exact(stream.sample_aspect_ratio) or None,
            display_matrix=display_matrix(picture),
            hdr=hdr_metadata(picture),
            not_carried=not_carried(picture) + ("interlacing",) * self._deinterlacer.active,
        )


def _duration_s(stream: VideoStream, container: InputContainer) -> Fraction | None:
    if length := (stream.duration or 0) * exact(stream.time_base):
        return length
    return Fraction(container.duration, av.time_base) if container.duration else None
