"""Timing calls fairly on a machine that does other things too."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import psutil

BURN_IN = 3
"""Calls that are made before any that is measured."""

Times = Mapping[str, Sequence[float]]
"""Milliseconds of each round, per case."""


def rounds(cases: Mapping[str, Callable[[], object]], count: int) -> Times:
    """Time all cases once per round, so that other load on the machine meets each alike.

    A case returns only when its result is there. It is called twice and timed the second time: the
    first finds the caches and the threads as another case left them.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    for index in range(BURN_IN + count):
        for name, call in cases.items():
            call()
            began = time.perf_counter()
            call()
            if index >= BURN_IN:
                times[name].append(1e3 * (time.perf_counter() - began))
    return times


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """Of two cases of the same rounds: the median of each round's ratio."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def resident_mib() -> float:
    """Return the memory that the process has in use now."""
    return float(psutil.Process().memory_info().rss / 2**20)
