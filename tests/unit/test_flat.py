"""What the endurance runs call flat."""

import numpy as np
import pytest
from flat import latency_is_flat, memory_is_flat, rise

NOISE = np.random.default_rng(0).normal(size=120)


def test_the_rise_is_that_of_the_line_through_the_second_half():
    assert rise([5.0] * 10 + [float(value) for value in range(10)]) == pytest.approx(9)
    assert rise([1.0]) == rise([]) == 0


def test_what_grows_only_while_it_warms_up_is_flat():
    warmed = np.minimum(np.arange(120) * 5, 200) + NOISE
    assert memory_is_flat(list(warmed))
    assert memory_is_flat(list(warmed[::-1]))  # what falls is no leak


def test_what_goes_on_growing_is_not_flat():
    grown = 200 + np.arange(120) / 2 + NOISE
    assert not memory_is_flat(list(grown))
    assert not latency_is_flat(list(100 + np.arange(120) + 20 * NOISE))
    assert latency_is_flat(list(100 + 20 * NOISE))


def test_one_slow_moment_at_the_end_does_not_decide():
    assert latency_is_flat([100.0] * 119 + [600.0])
