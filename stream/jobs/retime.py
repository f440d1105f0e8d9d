"""Moves packets into the time base of another container, in the order its muxer demands."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from av.format import Flags
from av.packet import Packet
from av.rational import AVRational
from av.stream import Stream

from stream.pyav import exact

_REPEATS_ALLOWED = cast(int, Flags.ts_nonstrict.value)


class Clock:
    """The time of one stream of a container that is being written, after its header.

    Muxers refuse a dts that does not increase, and some a repeated one; such a packet is moved
    by the least that will do. All others keep their time exactly, as far as the container's time
    base can express it.

    Args:
        target: The stream that packets go to.
        shift: Seconds added to every packet.
    """

    def __init__(self, target: Stream, shift: Fraction = Fraction(0)) -> None:
        unit = exact(target.time_base)
        if not unit:
            raise RuntimeError("a stream has its time base once the header is written")
        self._target = target
        self._time_base = AVRational(unit.numerator, unit.denominator)
        self._shift = round(shift / unit)
        self._step = 0 if _may_repeat(target) else 1
        self._next: int | None = None

    def retime(self, packet: Packet[Stream]) -> Packet[Stream]:
        """Move ``packet`` itself to the target stream and its time."""
        packet.rescale_ts(self._time_base)
        dts = packet.pts if packet.dts is None else packet.dts
        dts = (self._next or 0) if dts is None else dts + self._shift
        pts = dts if packet.pts is None else packet.pts + self._shift
        if self._next is not None:
            dts = max(dts, self._next)
        packet.dts = dts
        packet.pts = max(pts, dts)
        packet.stream = self._target
        self._next = dts + self._step
        return packet


def _may_repeat(target: Stream) -> bool:
    flags = int(target.container.format.flags)
    return bool(flags & _REPEATS_ALLOWED) or target.type in ("subtitle", "data")
