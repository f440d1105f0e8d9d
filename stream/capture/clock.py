"""One steady timeline from a live source, whatever its own clock does. Pure arithmetic.

A source's time stamps are compared with the times at which its pictures arrived here. Stamps that
jump, or run at another speed than time itself, are put right; a source without stamps is timed by
arrival. The clock also says when a picture is due: what comes in bursts is shown at its own pace.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from stream.frame import Discontinuity

JUMP_S = 5.0
"""The source's clock has jumped where it is this far ahead of the time that has passed here."""

_CATCH_UP = 0.02  # of the time: pictures come so much faster until they are shown as they arrive
_WRONG_S = 0.5  # stamps that stay this far from arrival are wrong
_WINDOW_S, _WINDOW = 2.0, 5  # for so long, over so many pictures
_SPEED = 0.1  # a clock that differs less from ours keeps its own speed
_BURST = 0.3  # pictures that arrive this much sooner than their stamps say tell nothing of a clock


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a picture goes.

    Attributes:
        pts: Greater than every pts handed out before.
        due_s: When to show it, in seconds of the local clock; not before its arrival.
        jump: What the source's clock did where it jumped.
    """

    pts: int
    due_s: float
    jump: Discontinuity | None = None


@dataclass(frozen=True, slots=True)
class _Sample:
    """What one picture tells of the source's clock, in seconds."""

    arrived_s: float
    declared_s: float
    early_s: float  # than it should have come


class LiveClock:
    """Gives every picture a pts greater than the last one, in steps of the source's own clock.

    Where that clock begins anew, on a reconnection or because the sender was started again, the
    time that has passed here bridges the gap: a recording keeps its pace. Where it runs at another
    speed than ours, its steps are stretched to what was measured.

    Args:
        time_base: Of the pts given out, in seconds.
    """

    def __init__(self, time_base: Fraction) -> None:
        self._time_base = time_base
        self._buffer_s = 0.0
        self._anchor: tuple[int, int] | None = (0, 0)  # the same moment: declared, given out
        self._stretch = 1.0
        self._last: int | None = None
        self._arrived_s = 0.0
        self._declared_s = 0.0
        self._zero_s: float | None = None  # when pts 0 would have arrived with no delay
        self._delay_s = 0.0
        self._window: deque[_Sample] = deque()

    def begin(self, buffer_s: float = 0.0) -> None:
        """The next picture is the first of a connection.

        Args:
            buffer_s: How late pictures may be shown so that those of a burst, as after a stall,
                keep their pace. Without a limit where a source sends many seconds at a time, ahead
                of their times, as HLS does; there, arrival says nothing of its clock either.
        """
        self._buffer_s = buffer_s
        self._anchor = (0, 0) if self._last is None else None
        self._stretch = 1.0
        self._zero_s, self._delay_s = None, 0.0
        self._window.clear()

    def place(self, pts: int | None, time_base: Fraction, arrived_s: float) -> Slot:
        """The place of a picture that came at ``arrived_s`` of the local clock.

        Args:
            pts: What the source says, in units of ``time_base``; None where it says nothing.
            time_base: Seconds per unit.
            arrived_s: When it came.
        """
        units = None if pts is None else round(pts * time_base / self._time_base)
        placed, jump = self._placed(units, arrived_s)
        if jump:
            self._zero_s = None
            self._window.clear()
        early_s = self._early_s(placed, arrived_s)
        if units is not None:
            late_s = self._lag_s(units, placed, early_s, arrived_s)
            placed += round(late_s / self._time_base)
            early_s += late_s
            if self._anchor is None or jump:
                self._anchor, self._stretch = (units, placed), 1.0
        due_s = self._due_s(placed, early_s, arrived_s)
        self._last, self._arrived_s = placed, arrived_s
        return Slot(placed, due_s, jump)

    def seconds(self, source_s: Fraction) -> Fraction:
        """Where in our time something lies that the source does not show, such as sound.

        Args:
            source_s: In seconds of the source's own clock, near the picture placed last.
        """
        declared, placed = self._anchor or (0, 0)
        passed_s = source_s - declared * self._time_base
        stretch = 1 if self._stretch == 1 else Fraction(self._stretch)
        return placed * self._time_base + stretch * passed_s

    def _placed(self, units: int | None, arrived_s: float) -> tuple[int, Discontinuity | None]:
        last = self._last
        if last is None:
            return units or 0, None
        here = last + max(1, round((arrived_s - self._arrived_s) / self._time_base))
        if units is None or self._anchor is None:
            return here, None
        there = self._there(units)
        if there < last:
            return here, Discontinuity.PTS_BACKWARDS
        if (there - here) * self._time_base > JUMP_S:
            return here, Discontinuity.GAP
        return max(there, last + 1), None

    def _there(self, units: int) -> int:
        """What the source's clock makes of it, exactly where that runs at our speed."""
        declared, placed = self._anchor or (0, 0)
        passed = units - declared
        return placed + (passed if self._stretch == 1 else round(self._stretch * passed))

    def _early_s(self, placed: int, arrived_s: float) -> float:
        """How much earlier it came than it should have; negative where it is late."""
        if self._zero_s is None:
            self._zero_s = arrived_s - placed * float(self._time_base)
        return self._zero_s + placed * float(self._time_base) - arrived_s

    def _due_s(self, placed: int, early_s: float, arrived_s: float) -> float:
        """The delay grows at once, up to the buffer's length, and shrinks slowly."""
        if early_s > 0:
            self._zero_s = (self._zero_s or 0.0) - early_s
            self._delay_s = min(self._delay_s + early_s, self._buffer_s)
        else:
            passed_s = 0 if self._last is None else float((placed - self._last) * self._time_base)
            caught_up_s = 0.0 if math.isinf(self._buffer_s) else _CATCH_UP * passed_s
            self._delay_s = max(self._delay_s - caught_up_s, min(-early_s, self._buffer_s))
        due_s = (self._zero_s or 0.0) + placed * float(self._time_base) + self._delay_s
        return max(due_s, arrived_s)

    def _lag_s(self, units: int, placed: int, early_s: float, arrived_s: float) -> float:
        """Compare the source's clock with ours, and learn its speed; by how much it is behind."""
        declared_s = units * float(self._time_base)
        here_s, there_s = arrived_s - self._arrived_s, declared_s - self._declared_s
        self._declared_s = declared_s
        if math.isinf(self._buffer_s) or self._last is None or here_s < _BURST * there_s:
            return 0.0
        window = self._window
        window.append(_Sample(arrived_s, declared_s, early_s))
        while len(window) > _WINDOW and arrived_s - window[1].arrived_s >= _WINDOW_S:
            window.popleft()
        passed_s = arrived_s - window[0].arrived_s
        if len(window) < _WINDOW or passed_s < _WINDOW_S:
            return 0.0
        behind_s = -max(sample.early_s for sample in window)
        if behind_s < _WRONG_S and not _fast(window):
            return 0.0
        speed = (declared_s - window[0].declared_s) / passed_s
        self._stretch = 1 / speed if abs(speed - 1) > _SPEED and speed > 0 else 1.0
        window.clear()
        lag_s = 0.0 if behind_s < _WRONG_S else behind_s if self._stretch == 1 else -early_s
        self._anchor = (units, placed + round(lag_s / self._time_base))
        return lag_s


def _fast(window: deque[_Sample]) -> bool:
    """Whether pictures came earlier and earlier, in the first half and in the second."""
    samples = list(window)
    middle = len(samples) // 2
    for half in (samples[: middle + 1], samples[middle:]):
        gained_s = sum(max(0.0, sample.early_s) for sample in half[1:])
        if gained_s <= _SPEED * (half[-1].arrived_s - half[0].arrived_s):
            return False
    return True
