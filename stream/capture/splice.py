"""One steady timeline from a live source whose own clock may jump. Pure arithmetic."""

from __future__ import annotations

from fractions import Fraction

from stream.frame import Discontinuity

JUMP_S = 5.0
"""The source's clock has jumped where it is this far from the time that has passed here."""


class Splice:
    """Gives every picture a pts greater than the last one, in steps of the source's own clock.

    Where that clock begins anew, on a reconnection or because the sender was started again, the
    time that has passed here bridges the gap: a recording keeps its pace.

    Args:
        time_base: Of the pts given out.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._offset: int | None = 0
        self._last: int | None = None
        self._arrived_s = 0.0

    def begin(self) -> None:
        """The next picture is the first of a new connection."""
        self._offset = None

    def place(
        self, pts: int | None, time_base: Fraction, arrived_s: float
    ) -> tuple[int, Discontinuity | None]:
        """The place of a picture that came at ``arrived_s`` of the local clock.

        Returns:
            Its pts, and what the source's clock did where it jumped.
        """
        last, jump = self._last, None
        units = None if pts is None else round(pts * time_base / self._time_base)
        if last is None:
            placed = units or 0
        else:
            here = last + max(1, round((arrived_s - self._arrived_s) / self._time_base))
            placed = here
            if units is not None and self._offset is not None:
                there = units + self._offset
                if there < last:
                    jump = Discontinuity.PTS_BACKWARDS
                elif (there - here) * self._time_base > JUMP_S:
                    jump = Discontinuity.GAP
                else:
                    placed = max(there, last + 1)
        if units is not None and (self._offset is None or jump):
            self._offset = placed - units
        self._last, self._arrived_s = placed, arrived_s
        return placed, jump
