"""Cleaned segments as one stream of packets, in decoding order, with times that fit each other.

Every encoder starts its dts somewhere before its first pts, so the dts of neighbouring segments
may overlap. They are given anew for the whole: packet ``i`` gets the pts of the picture shown
``reorder`` places earlier, which is never late and always increases, at any frame rate.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from stream.capture.container import open_container
from stream.errors import JobError
from stream.pyav import exact


class Reel:
    """Segments of one encoding, read one after the other; one file is open at a time.

    Args:
        segments: Files in order of time, at least one.
        reorder: How many places pictures are decoded before they are shown, at most.
        end: Seconds at which the last picture ends, as time is counted in the segments.

    Raises:
        OpenError: A segment is damaged.
    """

    def __init__(self, segments: Sequence[Path], reorder: int, end: Fraction) -> None:
        self._segments = segments
        self._reorder = reorder
        self._end = end
        self._first = open_container(segments[0])

    @property
    def template(self) -> Stream:
        """What the segments' streams have in common."""
        return self._first.streams.video[0]

    def packets(self) -> Iterator[Packet[Stream]]:
        """Every packet, in the time base of its segment; once only.

        Raises:
            JobError: The segments are of different encodings.
        """
        yield from in_order(self._read(), self._reorder, self._end)

    def times(self) -> Iterator[Fraction]:
        """Seconds at which frames are shown, in order, as time is counted in the segments."""
        for segment in self._segments:
            yield from sorted(read_times(segment))

    def close(self) -> None:
        """Close the first segment; the others are closed when read."""
        self._first.close()

    def _read(self) -> Iterator[Packet[Stream]]:
        yield from _packets(self._first)
        context = self.template.codec_context
        for path in self._segments[1:]:
            with open_container(path) as segment:
                other = segment.streams.video[0].codec_context
                if context is None or other.extradata != context.extradata:
                    raise JobError(f"{path} does not fit the segments before; use --no-resume")
                yield from _packets(segment)


def in_order(
    packets: Iterable[Packet[Stream]], reorder: int, end: Fraction
) -> Iterator[Packet[Stream]]:
    """Give packets in decoding order the dts that the order of their pts allows, and durations.

    A picture lasts until the next one: MP4 keeps no durations of reordered pictures, and encoders
    give theirs in the order of decoding, or none.

    Args:
        packets: The first one has the least pts.
        reorder: At least that of `reorder_depth`.
        end: Seconds at which the last picture shown ends.
    """
    to_show: list[int] = []
    shown: int | None = None
    durations: dict[int, int] = {}
    waiting: deque[Packet[Stream]] = deque()
    lead = 0  # by which decoding begins before the first picture is shown

    def show() -> int:
        nonlocal shown
        pts = heapq.heappop(to_show)
        if shown is not None:
            durations[shown] = pts - shown
        shown = pts
        return pts

    for number, packet in enumerate(packets):
        pts = packet.pts or 0
        heapq.heappush(to_show, pts)
        if number < reorder:  # before anything is shown: the encoder's own, if early enough
            limit = to_show[0] - (reorder - number)
            packet.dts = limit if packet.dts is None else min(packet.dts, limit)
        else:
            packet.dts = show()
        if not number:
            lead = pts - packet.dts
        waiting.append(packet)
        while waiting and (waiting[0].pts or 0) in durations:
            yield _timed(waiting.popleft(), durations)
    while to_show:
        show()
    if shown is None:
        return
    ends = max(shown + 1, round(end / exact(waiting[0].time_base)))
    durations[shown] = ends - shown
    # MP4's reader takes the time from first to last dts for the length, if that is shorter
    last, pts = waiting[-1], waiting[-1].pts or 0
    last.dts = max(last.dts or 0, pts - lead)
    durations[pts] = max(durations[pts], ends - lead - last.dts)
    for packet in waiting:
        yield _timed(packet, durations)


def _timed(packet: Packet[Stream], durations: dict[int, int]) -> Packet[Stream]:
    packet.duration = durations.pop(packet.pts or 0)
    return packet


def reorder_depth(times: Sequence[Fraction]) -> int:
    """How many places a picture is decoded after its rank in time, at most.

    Args:
        times: In decoding order.
    """
    ranks = {time: rank for rank, time in enumerate(sorted(times))}
    return max((number - ranks[time] for number, time in enumerate(times)), default=0)


def read_times(path: Path) -> list[Fraction]:
    """When each picture of a segment is shown, in seconds and in decoding order."""
    with open_container(path) as container:
        return [(packet.pts or 0) * exact(packet.time_base) for packet in _packets(container)]


def _packets(container: InputContainer) -> Iterator[Packet[Stream]]:
    streams: list[Stream] = [container.streams.video[0]]
    for packet in container.demux(*streams):
        if packet.size:
            yield packet
