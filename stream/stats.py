"""What a run counts and measures, and the report made of it. Knows no stage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STAGES = ("capture", "inference", "output")
_COUNTERS = (
    *("frames_in", "frames_out", "frames_dropped", "frames_missing"),
    *("decode_failures", "duration_s"),
)


class Histogram:
    """Percentiles of durations in bounded memory, whatever the length of the run.

    Bins grow by 2 %, so a percentile is within 1 % of the exact one; from 1 us to an hour they
    are some 1,100 at most.
    """

    _GROWTH = math.log(1.02)
    _SMALLEST_S = 1e-6

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one duration; what is below 1 us counts as 1 us."""
        ratio = max(seconds, self._SMALLEST_S) / self._SMALLEST_S
        self._bins[math.floor(math.log(ratio) / self._GROWTH)] += 1

    def merge(self, other: Mapping[int, int]) -> None:
        """Count the `bins` of another histogram too."""
        self._bins.update(other)

    @property
    def bins(self) -> dict[int, int]:
        """How many durations fell into each bin."""
        return dict(self._bins)

    def percentile_ms(self, percent: float) -> float | None:
        """The duration that ``percent`` of all do not exceed, or None where nothing was added."""
        bins = sorted(dict(self._bins).items())
        rank = percent / 100 * sum(count for _, count in bins)
        for index, count in bins:
            rank -= count
            if rank <= 0:
                return 1e3 * self._SMALLEST_S * math.exp((index + 0.5) * self._GROWTH)
        return None


@dataclass
class StageStats:
    """How long one stage worked, waiting not included. Written by that stage's thread alone."""

    busy_s: float = 0.0
    times: Histogram = field(default_factory=Histogram)

    def add(self, seconds: float) -> None:
        """Count the work on one frame."""
        self.busy_s += seconds
        self.times.add(seconds)

    def report(self) -> dict[str, float | None]:
        """JSON-ready: seconds of work and percentiles per frame."""
        return {
            "busy_s": _rounded(self.busy_s),
            "p50_ms": _rounded(self.times.percentile_ms(50)),
            "p95_ms": _rounded(self.times.percentile_ms(95)),
        }


@dataclass
class RunStats:
    """The counters of one run, readable while it goes on; each is written by one thread.

    Attributes:
        frames_in: Frames the source delivered, dropped ones included.
        frames_out: Frames the sink took.
        frames_dropped: Frames a live source delivered too fast; always 0 for a file.
        frames_missing: About how many pictures a file should hold that are not in it.
        decode_failures: Pictures that could not be decoded; each was replaced by a repeat.
        frames_expected: The source's estimate of ``frames_in``, or None; for progress only.
        duration_s: From the end of the warm-up to now, or to the end of the run.
        stages: One for each of `STAGES`.
        latency: From capture to the end of output, per frame.
    """

    frames_in: int = 0
    frames_out: int = 0
    frames_dropped: int = 0
    frames_missing: int = 0
    decode_failures: int = 0
    frames_expected: int | None = None
    duration_s: float = 0.0
    stages: dict[str, StageStats] = field(
        default_factory=lambda: {stage: StageStats() for stage in STAGES}
    )
    latency: Histogram = field(default_factory=Histogram)

    @property
    def fps(self) -> float:
        """Frames out per second, the warm-up not included."""
        return self.frames_out / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def time_left_s(self) -> float | None:
        """Estimate, or None where the length is unknown or nothing has come out yet."""
        if self.frames_expected is None or not self.fps:
            return None
        return max(0, self.frames_expected - self.frames_out) / self.fps

    def merge(self, part: Mapping[str, Any]) -> None:
        """Count a part of the same job too: what `saved` gave, or JSON made of it."""
        for name in _COUNTERS:
            setattr(self, name, getattr(self, name) + part[name])
        for name, stage in self.stages.items():
            stage.busy_s += part["stages"][name]["busy_s"]
            stage.times.merge(_numbered(part["stages"][name]["bins"]))
        self.latency.merge(_numbered(part["latency"]))

    def saved(self) -> dict[str, Any]:
        """All that was counted, JSON-ready, for `merge`."""
        return {name: getattr(self, name) for name in _COUNTERS} | {
            "stages": {
                name: {"busy_s": stage.busy_s, "bins": stage.times.bins}
                for name, stage in self.stages.items()
            },
            "latency": self.latency.bins,
        }

    def report(self) -> dict[str, Any]:
        """JSON-ready, with the keys that scripts rely on; model and device are the caller's."""
        return {
            "frames_in": self.frames_in,
            "frames_out": self.frames_out,
            "frames_dropped": self.frames_dropped,
            "frames_missing": self.frames_missing,
            "decode_failures": self.decode_failures,
            "duration_s": _rounded(self.duration_s),
            "fps": _rounded(self.fps),
            "stages": {name: stage.report() for name, stage in self.stages.items()},
            "latency_ms": {
                f"p{percent}": _rounded(self.latency.percentile_ms(percent))
                for percent in (50, 95, 99)
            },
        }


def _numbered(bins: Mapping[Any, int]) -> dict[int, int]:
    return {int(number): count for number, count in bins.items()}  # JSON's keys are texts


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
