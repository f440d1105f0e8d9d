"""Keeps a live stream in step: the best treatment that fits between two of its frames.

Levels lead from passing frames through up to the best model. Where one is too slow for the
source's own frame interval, a lighter one takes over; where there is room, the next better one is
tried. Knows time and levels, not what a level computes.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from stream.frame import Discontinuity, Frame, StreamInfo
from stream.inference.reduced import Reduced
from stream.pixel_format import read_planes
from stream.stages import Processor

USUAL_RATE = Fraction(30)
"""Frames per second, where a source does not say."""


_STEPS, _ENOUGH = 15, 5  # of which the median is taken
_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True)
class Level:
    """One way to treat frames.

    Attributes:
        name: Told to people.
        processor: None passes frames through.
        model: What computes; None where nothing does.
    """

    name: str
    processor: Processor | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level, ``at_s`` after the start."""

    at_s: float
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Pace:
    """When to step.

    Attributes:
        debt: Step down when this many frame intervals behind. A frame adds what it took beyond
            its interval, at most two intervals, so that one pause alone never counts as overload;
            a fast one pays back.
        trial_debt: The same while a better level is on trial.
        room: Begin with the best level that takes at most this share of the interval.
        hopeless: A level that takes this many intervals at the start is the last one that is
            loaded. Not 1: the machine may be busy just then.
        try_after_s: Try the next better level after so long without debt. One that stays without
            debt as long has passed; where one proves too slow, the wait doubles,
        try_at_most_s: up to this.
    """

    debt: float = 3.0
    trial_debt: float = 1.0
    room: float = 0.8
    hopeless: float = 3.0
    try_after_s: float = 2.0
    try_at_most_s: float = 60.0


def levels_of(models: Iterable[str], open_model: Callable[[str], Processor]) -> Iterator[Level]:
    """The ladder, lightest first; a model is opened only when its level is asked for.

    Args:
        models: Names, lightest first.
        open_model: Loads one.
    """
    yield Level("off")
    for index, name in enumerate(models):
        processor = open_model(name)
        if index == 0:
            yield Level(f"{name} at half size", Reduced(processor), name)
        yield Level(name, processor, name)


class OverloadControl:
    """Treats each frame on the level that the machine can keep up with.

    Every frame that comes out carries its original. All calls come from the inference thread;
    `level`, `counts` and `steps` may be read from others.

    Args:
        levels: Lightest first, taken one by one in `start`, as long as there is hope; so models
            that are far too heavy are not even loaded. A single level is used whatever it costs.
        pace: When to step.
        clock: Seconds.
        on_step: Told of every step.
    """

    def __init__(
        self,
        levels: Iterable[Level],
        pace: Pace | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> None:
        self._ladder = iter(levels)
        self._loaded: list[Level] = []  # taken from the ladder so far
        self._pace = pace or Pace()
        self._clock = clock
        self._on_step = on_step
        self._inside: deque[Frame] = deque()
        self._begin(_Interval())

    def _begin(self, interval: _Interval) -> None:
        """A run of which nothing is known yet."""
        self.steps: deque[Step] = deque(maxlen=1000)
        self.step_counts: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._levels: list[Level] = []
        self._measured_s: list[float] = []  # what a frame took on each level at the start
        self._current = 0
        self._stepped = False
        self._interval = interval
        self._debt = 0.0
        self._began_s = self._calm_since_s = self._clock()
        self._wait_s = self._pace.try_after_s
        self._on_trial = False

    @property
    def level(self) -> Level:
        """In use now."""
        return self._levels[self._current]

    @property
    def model(self) -> str | None:
        """The one that treated the most frames of the run; None where all of them passed."""
        counts: Counter[str] = Counter()
        for level in self._levels:
            if level.model and self.counts[level.name]:
                counts[level.model] += self.counts[level.name]
        return max(counts, key=counts.__getitem__, default=None)

    def start(self, info: StreamInfo) -> None:
        """Warm every level up and begin with the best that is fast enough."""
        self._begin(_Interval(info.frame_rate))
        for level in self._ladder_from_below():
            self._levels.append(level)
            self._measured_s.append(self._measured(level, info))
            if self._measured_s[-1] > self._pace.hopeless * self._interval.seconds:
                break
        budget = self._pace.room * self._interval.seconds
        fast = [index for index, took in enumerate(self._measured_s) if took <= budget]
        self._current = max(fast, default=0)
        self._began_s = self._calm_since_s = self._clock()

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Treat one frame, then see whether the level still fits."""
        level, began = self.level, self._clock()
        self._interval.see(frame)
        self._inside.append(frame)
        self.counts[level.name] += 1
        results = list(self._run(level, frame))
        now = self._clock()
        if len(self._levels) > 1:
            results += self._judge(now - began, now)
        return self._with_originals(results)

    def flush(self) -> Sequence[Frame]:
        """Give the rest."""
        processor = self.level.processor
        return self._with_originals(processor.flush() if processor else ())

    def close(self) -> None:
        """Forget the stream."""
        self._inside.clear()
        for level in self._loaded:
            if level.processor:
                level.processor.close()

    def report(self) -> dict[str, Any]:
        """JSON-ready: frames on each level, and the steps between them."""
        return {
            "levels": [level.name for level in self._levels],
            "level": self.level.name if self._levels else None,
            "frames": dict(self.counts),
            "steps_down": self.step_counts["down"],
            "steps_up": self.step_counts["up"],
            "steps": [
                {"at_s": round(s.at_s, 3), "from": s.before, "to": s.after, "why": s.why}
                for s in self.steps
            ],
        }

    def _ladder_from_below(self) -> Iterator[Level]:
        """Every level, those that an earlier run has loaded first."""
        yield from self._loaded
        for level in self._ladder:
            self._loaded.append(level)
            yield level

    def _run(self, level: Level, frame: Frame) -> Iterable[Frame]:
        if level.processor is None:
            return (frame,)
        if self._stepped:  # its state is from before it last stepped aside
            self._stepped = False
            reason = frame.discontinuity or Discontinuity.LEVEL_CHANGE
            return level.processor.process(frame.replace(discontinuity=reason))
        return level.processor.process(frame)

    def _with_originals(self, results: Iterable[Frame]) -> list[Frame]:
        done = []
        for result in results:
            frame = self._inside.popleft()
            done.append(result.replace(original=frame.planes, discontinuity=frame.discontinuity))
        return done

    def _measured(self, level: Level, info: StreamInfo) -> float:
        """Seconds for a frame, once warm. The stream that it was measured with is forgotten."""
        if level.processor is None:
            return 0.0
        level.processor.start(info)
        planes = read_planes(av.VideoFrame(info.width, info.height, info.pixel_format))
        times = []
        for index in range(3):
            frame = Frame(
                planes=planes, pts=index, time_base=info.time_base, index=index, color=info.color
            )
            began = self._clock()
            level.processor.process(frame)
            times.append(self._clock() - began)
            if sum(times) > 3 * self._pace.hopeless * self._interval.seconds:
                break  # it won't be used: no need to know better
        level.processor.close()
        return min(times)

    def _judge(self, took_s: float, now: float) -> Iterable[Frame]:
        """Step where the level is too slow or has room; gives what the old one held back."""
        interval_s, pace = self._interval.seconds, self._pace
        self._debt = max(0.0, self._debt + min(took_s / interval_s - 1, 2.0))
        if self._debt:
            self._calm_since_s = now
        if self._current and self._debt > (pace.trial_debt if self._on_trial else pace.debt):
            why = f"a frame took {1e3 * took_s:.0f} ms of {1e3 * interval_s:.0f} ms"
            return self._step(self._below(took_s), why, now)
        if now - self._calm_since_s < self._wait_s:
            return ()
        self._calm_since_s = now
        if self._on_trial:
            self._on_trial, self._wait_s = False, pace.try_after_s
        if self._current + 1 == len(self._levels):
            return ()
        return self._step(self._current + 1, "there is room", now)

    def _below(self, took_s: float) -> int:
        """The best lower level that should fit, each as much slower than measured as this one."""
        if self._on_trial:
            self._wait_s = min(2 * self._wait_s, self._pace.try_at_most_s)
            return self._current - 1
        budget_s = self._measured_s[self._current] * self._interval.seconds / took_s
        return max(lower for lower in range(self._current) if self._measured_s[lower] <= budget_s)

    def _step(self, index: int, why: str, now: float) -> Iterable[Frame]:
        up, old = index > self._current, self.level.processor
        step = Step(now - self._began_s, self.level.name, self._levels[index].name, why)
        self._current, self._stepped, self._on_trial = index, True, up
        self._debt, self._calm_since_s = 0.0, now
        self.step_counts["up" if up else "down"] += 1
        self.steps.append(step)
        self._on_step(step)
        return old.flush() if old else ()


class _Interval:
    """The time between two frames of the source, by its own clock, dropped ones counted.

    The median of the last ones, so that neither a pause nor a burst counts, and a camera that
    slows down at night is known within some frames.
    """

    def __init__(self, rate: Fraction | None = None) -> None:
        self.seconds = float(1 / (rate or USUAL_RATE))
        self._steps_s: deque[float] = deque(maxlen=_STEPS)
        self._last: Frame | None = None

    def see(self, frame: Frame) -> None:
        last, self._last = self._last, frame
        if last is None or frame.discontinuity or frame.index <= last.index:
            return
        passed_s = float((frame.pts - last.pts) * frame.time_base) / (frame.index - last.index)
        self._steps_s.append(max(passed_s, _SHORTEST_S))
        if len(self._steps_s) >= _ENOUGH:
            self.seconds = statistics.median(self._steps_s)
