"""One clock for a file whose own clock begins anew, as in recordings that were joined.

Where the time stamps of the video go back further than reordering explains, a new part begins:
from there on every stream moves by one offset, so that the part follows on the one before. Decodes
nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from stream.containers import is_indexed, is_steady
from stream.pyav import exact

_JUMP_S = Fraction(1, 2)
REORDERED = 16
"""Frames by which decoding order may differ from that of time, in any codec."""

_GUESSED = "matroska"  # holds no decode times: FFmpeg guesses them, wrongly where frames are rare
_PERIOD = 1 << 33  # of the clock in MPEG's streams, in ticks
_WAIT_S = Fraction(5)


class Parts:
    """Moves the packets of a file to one clock, which never goes back by more than jitter.

    Args:
        container: Says what its clock is like.
        video: Whose time stamps tell where a part begins.

    Attributes:
        offset_s: What is added to the time stamps of the video now.
        begin_s: Where each part but the first begins, on the one clock.
    """

    def __init__(self, container: InputContainer, video: VideoStream) -> None:
        unit = exact(video.time_base) or Fraction(1)
        self.offset_s = Fraction(0)
        self.begin_s: list[Fraction] = []
        self._unit = unit
        self._offset = 0
        self._step = nominal_step(video)
        self._limit = round(_JUMP_S / unit)
        self._guessed = _GUESSED in container.format.name
        self._latest: list[int] = []  # a heap of the pts that the next one may be before
        self._steady = is_counted(container)
        self._wraps = container.format.name in ("mpegts", "mpeg")
        self._last: int | None = None
        self._end = 0

    def move(self, packet: Packet[Stream]) -> bool:
        """Move a packet of the video; returns whether a part begins with it.

        Args:
            packet: Every one has to come once, in the order of the file.
        """
        time = packet.pts if packet.dts is None or self._guessed else packet.dts
        if time is None:
            return False
        last = self._last
        if self._latest and packet.is_keyframe:  # it is shown behind all that is decoded before it
            last = max(self._latest)
        begins = last is not None and self._jumps(last, time)
        if begins:
            self._latest.clear()
            self._offset = self._end - (time if packet.pts is None else packet.pts)
            self.offset_s = self._offset * self._unit
            self.begin_s.append(self._end * self._unit)
        self._last = self._earliest_next(time) if self._guessed else time
        _shift(packet, self._offset)
        shown = packet.dts if packet.pts is None else packet.pts
        self._end = max(self._end, (shown or 0) + (packet.duration or self._step))
        return begins

    def _earliest_next(self, pts: int) -> int | None:
        """Return how far back reordering can bring the pts behind this one; None at a beginning."""
        heapq.heappush(self._latest, pts)
        if len(self._latest) <= REORDERED:
            return None
        if len(self._latest) > REORDERED + 1:
            heapq.heappop(self._latest)
        return self._latest[0]

    def all(self, packets: Iterable[Packet[Stream]], video: Stream) -> Iterator[Packet[Stream]]:
        """Move the packets of every stream.

        Other streams may enter a part somewhat before or after the video does.

        Args:
            packets: In the order of the file, those of the video among them.
            video: The video's stream in this container.
        """
        followers: dict[int, _Follower] = {}
        now = Fraction(0)
        for packet in packets:
            if packet.stream.index == video.index:
                begins = self.move(packet)
                time = packet.pts if packet.dts is None else packet.dts
                now = now if time is None else time * self._unit
                for follower in followers.values():
                    if follower.held and (begins or now > follower.held_until):
                        yield from follower.released(self.offset_s)
                yield packet
                continue
            follower = followers.setdefault(packet.stream.index, _Follower(self))
            yield from follower.take(packet, now)
        for follower in followers.values():
            yield from follower.released(follower.offset)

    def _jumps(self, before: int, after: int) -> bool:
        # FFmpeg takes a clock that begins anew for one that has run over, and adds a period
        taken_for_wrapped = self._wraps and after >= _PERIOD and after - before > _PERIOD // 2
        goes_back = before - after >= self._limit and not self._steady
        return goes_back or taken_for_wrapped

    def jumps_s(self, before: Fraction, after: Fraction) -> bool:
        """Whether time stamps in seconds, of any stream, go back like that."""
        return self._jumps(round(before / self._unit), round(after / self._unit))


@dataclass(slots=True)
class _Follower:
    """A stream beside the video. Times and offsets are in seconds.

    Attributes:
        held: Packets of a part that the video has not entered yet.
    """

    parts: Parts
    offset: Fraction = Fraction(0)
    last: Fraction | None = None
    held: list[Packet[Stream]] = field(default_factory=list)
    held_until: Fraction = Fraction(0)

    def take(self, packet: Packet[Stream], now: Fraction) -> Iterator[Packet[Stream]]:
        """Give what can be moved already; ``now`` is the time of the video on the one clock."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None:
            yield packet
            return
        time = stamp * exact(packet.time_base)
        before, self.last = self.last, time
        current = self.parts.offset_s
        if self.held:
            self.held.append(packet)
            return
        if current != self.offset:  # the video is in a later part: whichever fits what is shown
            self.offset = min((self.offset, current), key=lambda one: abs(time + one - now))
        elif before is not None and self.parts.jumps_s(before, time):
            self.held.append(packet)
            self.held_until = now + _WAIT_S
            return
        yield self._moved(packet)

    def released(self, offset: Fraction) -> Iterator[Packet[Stream]]:
        """Give what was held."""
        self.offset = offset
        held, self.held = self.held, []
        yield from map(self._moved, held)

    def _moved(self, packet: Packet[Stream]) -> Packet[Stream]:
        _shift(packet, round(self.offset / exact(packet.time_base)))
        return packet


def nominal_step(video: VideoStream) -> int:
    """How long a frame lasts where nothing is said, in units of the time base; at least 1."""
    step = exact(video.guessed_rate) * exact(video.time_base)
    return max(1, round(1 / step)) if step else 1


def is_counted(container: InputContainer) -> bool:
    """Whether the container has times from a table of frames, so that they cannot begin anew."""
    name = container.format.name
    return is_indexed(name) or is_steady(name) or name == "image2"


def _shift(packet: Packet[Stream], offset: int) -> None:
    if not offset:
        return
    if packet.pts is not None:
        packet.pts += offset
    if packet.dts is not None:
        packet.dts += offset
