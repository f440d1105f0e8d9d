"""A part of a video between two times: which of its pictures, packets and chapters are in it.

A picture is in where it is first shown in the part: exact to the frame. Sound is in by whole
packets, those that begin in the part; subtitles and data that reach into it are cut to it; a
further video begins with its first keyframe there. Everything moves by the same time, so that the
first picture is shown at 0 and nothing loses step; a part that has no start of its own stays.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.packet import Packet
from av.stream import Disposition, Stream

from stream.capture.container import open_container
from stream.errors import UsageError
from stream.frame import StreamInfo
from stream.pyav import exact

if TYPE_CHECKING:
    from av.container.core import Chapter


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What a user asks for, in seconds from the beginning of the file; None leaves a side open.

    Raises:
        UsageError: There is nothing between the times.
    """

    start: Fraction | None = None
    end: Fraction | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= (self.start or 0):
            raise UsageError(f"there is nothing {self}; name an end behind the start")

    def __str__(self) -> str:
        start = "the beginning" if self.start is None else clock_text(self.start)
        end = "the end" if self.end is None else clock_text(self.end)
        return f"between {start} and {end}"

    def window(self, path: Path) -> TimeRange:
        """The same in the file's own time; raises OpenError."""
        if self == Excerpt():
            return WHOLE
        with open_container(path) as container:
            zero = Fraction(container.start_time or 0, av.time_base)
        return TimeRange(
            *(None if side is None else side + zero for side in (self.start, self.end))
        )


def middle_of(path: Path, length: Fraction, within: Excerpt | None = None) -> Excerpt:
    """The ``length`` seconds in the middle of a file, or of a part; all of a shorter one.

    Raises:
        OpenError: See `open_container`.
    """
    within = within or Excerpt()
    with open_container(path) as container:
        whole = Fraction(container.duration or 0, av.time_base)
    first = within.start or Fraction(0)
    last = whole if within.end is None else min(whole, within.end)
    start = (first + last - length) / 2
    return Excerpt(start, start + length) if start > first else within


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A part of one file, in seconds of the file's own time; None leaves a side open."""

    start: Fraction | None = None
    end: Fraction | None = None

    def pts(self, time_base: Fraction) -> tuple[int | None, int | None]:
        """The first pts that is in, and the first that is not any more."""
        start, end = (
            None if side is None else math.ceil(side / time_base) for side in (self.start, self.end)
        )
        return start, end

    def narrowed(self, info: StreamInfo, first: int) -> tuple[TimeRange, StreamInfo]:
        """The same from the picture with the pts ``first`` on, and what is known of it."""
        if self == WHOLE:
            return self, info
        start = first * info.time_base
        window = self if self.start is None else TimeRange(start, self.end)
        ends = [] if self.end is None else [float(self.end)]
        if info.duration_s is not None:
            ends.append(float(info.start_pts * info.time_base) + info.duration_s)
        length_s = max(0.0, min(ends) - float(start)) if ends else None
        rate = info.frame_rate
        frames = round(length_s * rate) if length_s is not None and rate else None
        part = dataclasses.replace(
            info, start_pts=first, duration_s=length_s, frames_estimate=frames
        )
        return window, part

    def shift(self, info: StreamInfo) -> Fraction:
        """Seconds by which all of the file moves: to begin at 0 if cut there, and not before 0."""
        first = info.start_pts * info.time_base
        return max(Fraction(0), -first) if self.start is None else -self.start

    def packets(
        self, packets: Iterable[Packet[Stream]], streams: Sequence[Stream]
    ) -> Iterator[Packet[Stream]]:
        """Those of ``packets`` that are in; reads no further than it must.

        Args:
            packets: Of ``streams``, in each stream in decoding order.
            streams: What is copied.
        """
        if self == WHOLE:
            yield from packets
            return
        open_streams = {stream.index for stream in streams}
        begun: set[int] = set()
        for packet in packets:
            stream = packet.stream
            if self._is_over(packet):
                open_streams.discard(stream.index)
            if stream.disposition & Disposition.attached_pic:
                self._move_to_start(packet)
                open_streams.discard(stream.index)
                yield packet
            elif self._takes(packet) and (
                stream.type != "video" or packet.is_keyframe or stream.index in begun
            ):
                begun.add(stream.index)
                yield packet
            if not open_streams:
                return

    def chapters(self, chapters: Iterable[Chapter], shift: Fraction) -> list[Chapter]:
        """Those that reach into the window, cut to it and moved by ``shift`` seconds."""
        kept = []
        for chapter in chapters:
            unit = exact(chapter["time_base"]) or Fraction(1, av.time_base)
            begin, end = chapter["start"] * unit, chapter["end"] * unit
            begin = begin if self.start is None else max(begin, self.start)
            end = end if self.end is None else min(end, self.end)
            if begin < end:
                cut = chapter.copy()
                cut["start"], cut["end"] = (round((time + shift) / unit) for time in (begin, end))
                kept.append(cut)
        return kept

    def _is_over(self, packet: Packet[Stream]) -> bool:
        """Whether nothing more of the packet's stream can be in."""
        _, end = self.pts(exact(packet.time_base))
        return end is not None and packet.dts is not None and packet.dts >= end

    def _takes(self, packet: Packet[Stream]) -> bool:
        """Whether a packet is in; one of subtitles or data is cut to what is."""
        start, end = self.pts(exact(packet.time_base))
        begin = packet.dts if packet.pts is None else packet.pts
        if begin is None or (end is not None and begin >= end):
            return False
        if packet.stream.type not in ("subtitle", "data") or not packet.duration:
            return start is None or begin >= start
        until = begin + packet.duration
        if start is not None and until <= start:
            return False
        packet.pts = packet.dts = begin if start is None else max(begin, start)
        packet.duration = (until if end is None else min(until, end)) - packet.pts
        return True

    def _move_to_start(self, packet: Packet[Stream]) -> None:
        """Of a cover, which belongs to the file and to no time."""
        start, _ = self.pts(exact(packet.time_base))
        if start is not None:
            packet.pts = packet.dts = start


WHOLE = TimeRange()


def clock_text(seconds: Fraction) -> str:
    """Such as 0:05, 1:02:03 or 0:00:07.5, as users write times."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{float(rest):06.3f}".rstrip("0").rstrip(".")
    return f"{hours}:{minutes:02}:{text}" if hours else f"{minutes}:{text}"
