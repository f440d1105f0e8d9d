"""What the edit lists of MP4 cut away, and what of it a decoder needs all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.packet import Packet
from av.stream import Stream

from stream.pyav import exact

PREROLL_S = Fraction(1, 10)
"""Before a stream's first packet: what its decoder begins with. AAC has 0.05 s, Opus 0.08."""


def played(packets: Iterable[Packet[Stream]], *, hiding: bool) -> Iterator[Packet[Stream]]:
    """Leave out the packets that players of the source do not show.

    Args:
        packets: Of streams that are copied, in each in decoding order.
        hiding: Whether the target has edit lists: then what a decoder needs before the first
            packet that is shown is kept, and hidden again by its time before 0. Elsewhere nothing
            of the sound lies before 0, and a video begins with a keyframe.
    """
    cut: dict[int, list[Packet[Stream]]] = {}
    begun: set[int] = set()
    for packet in packets:
        index = packet.stream.index
        if packet.is_discard:
            needed = cut.setdefault(index, [])
            if packet.stream.type == "video" and packet.is_keyframe:
                needed.clear()
            if hiding and index not in begun:
                needed.append(packet)
            continue
        if index in cut:
            video = packet.stream.type == "video"
            if video and not packet.is_keyframe and not cut[index]:
                continue  # there is nothing to decode it from
            needed = cut.pop(index)
            yield from needed if video else (one for one in needed if _leads(one, packet))
            if not hiding and not video and packet.pts is not None and packet.pts < 0:
                packet.pts = packet.dts = 0  # shown in part; else the muxer would move all the rest
        begun.add(index)
        yield packet


def _leads(before: Packet[Stream], first: Packet[Stream]) -> bool:
    if before.pts is None or first.pts is None:
        return False
    return (first.pts - before.pts) * exact(first.time_base) <= PREROLL_S
