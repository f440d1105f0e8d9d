"""Cleaned segments as one stream of packets, in decoding order, with dts that fit each other.

Every encoder starts its dts somewhere before its first pts, so the dts of neighbouring segments
may overlap. They are given anew for the whole: packet ``i`` gets the pts of the picture shown
``reorder`` places earlier, which is never late and always increases, at any frame rate.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from stream.capture.container import open_container
from stream.errors import JobError


class Reel:
    """Segments of one encoding, read one after the other; one file is open at a time.

    Args:
        segments: Files in order of time, at least one.
        reorder: How many places pictures are decoded before they are shown, at most.

    Raises:
        OpenError: A segment is damaged.
    """

    def __init__(self, segments: Sequence[Path], reorder: int) -> None:
        self._segments = segments
        self._reorder = reorder
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
        yield from in_order(self._read(), self._reorder)

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


def in_order(packets: Iterable[Packet[Stream]], reorder: int) -> Iterator[Packet[Stream]]:
    """Give packets in decoding order the dts that the order of their pts allows.

    Args:
        packets: The first one has the least pts.
        reorder: At least that of `reorder_depth`.
    """
    waiting: list[int] = []
    for number, packet in enumerate(packets):
        pts = packet.pts or 0
        heapq.heappush(waiting, pts)
        if number < reorder:  # before anything is shown: the encoder's own, if early enough
            limit = waiting[0] - (reorder - number)
            packet.dts = limit if packet.dts is None else min(packet.dts, limit)
        else:
            packet.dts = heapq.heappop(waiting)
        yield packet


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
        return [(packet.pts or 0) * packet.time_base for packet in _packets(container)]


def _packets(container: InputContainer) -> Iterator[Packet[Stream]]:
    streams: list[Stream] = [container.streams.video[0]]
    for packet in container.demux(*streams):
        if packet.size:
            yield packet
