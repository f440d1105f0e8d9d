"""Gives every decoded picture its place in time, and every lost one too. Pure arithmetic.

A packet that fails to decode costs one picture, but which one shows only later: decoders reorder.
So each packet's pts is noted as it goes in; when a picture comes out, the times before it for
which nothing came are the lost ones, as many as packets have failed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture goes.

    Attributes:
        lost: pts of lost pictures that belong just before it.
        pts: Its own; greater than every pts handed out before.
        backwards: Whether the source's own pts went back.
    """

    lost: tuple[int, ...]
    pts: int
    backwards: bool


class Timeline:
    """The pts of one stream, made strictly increasing.

    A picture without a pts follows the last one by ``step``. One whose pts does not increase is
    put one unit after the last one: the smallest change that keeps order and count.

    Args:
        step: Nominal duration of a picture, in units of the time base, at least 1.
    """

    def __init__(self, step: int) -> None:
        self._step = max(1, step)
        self._expected: list[int] = []
        self._missing = 0
        self._last: int | None = None

    def expect(self, pts: int | None) -> None:
        """A packet went into the decoder."""
        if pts is not None:
            heapq.heappush(self._expected, pts)

    def miss(self) -> None:
        """A packet failed: one of the expected pictures will not come."""
        self._missing += 1

    def place(self, pts: int | None) -> Place:
        """A picture came out of the decoder, with this pts or none."""
        if pts is None:
            pts = 0 if self._last is None else self._last + self._step
        lost = self._lost_before(pts)
        backwards = self._last is not None and pts < self._last
        pts = self._following(pts)
        self._last = pts
        return Place(lost, pts, backwards)

    def rest(self) -> tuple[int, ...]:
        """Nothing more will come: the pts of lost pictures after the last one."""
        return self._lost_before(None)

    def _lost_before(self, pts: int | None) -> tuple[int, ...]:
        lost = []
        while self._expected and (pts is None or self._expected[0] <= pts):
            expected = heapq.heappop(self._expected)
            if self._missing and expected != pts and expected == self._following(expected):
                lost.append(expected)
                self._last = expected
                self._missing -= 1
        return tuple(lost)

    def _following(self, pts: int) -> int:
        return pts if self._last is None else max(pts, self._last + 1)
