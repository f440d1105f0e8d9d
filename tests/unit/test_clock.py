"""The clock of a live source: jumps, bursts, stalls and wrong speeds, without waiting for any."""

import itertools
import math
from fractions import Fraction

import pytest

from stream.capture.clock import LiveClock
from stream.frame import Discontinuity

MS = Fraction(1, 1000)


def begun(buffer_s=0.0, time_base=MS):
    clock = LiveClock(time_base)
    clock.begin(buffer_s)
    return clock


def placed(clock, *steps):
    slots = [clock.place(pts, MS, at) for pts, at in steps]
    return [(slot.pts, slot.jump) for slot in slots]


def test_a_steady_clock_is_kept_as_it_is():
    steps = [(700, 5.0), (733, 5.5), (766, 5.5), (800, 5.6)]
    assert placed(begun(), *steps) == [(700, None), (733, None), (766, None), (800, None)]


def test_other_units_are_converted():
    clock = begun(time_base=Fraction(1, 90_000))
    assert [clock.place(pts, MS, 0.0).pts for pts in (0, 40, 80)] == [0, 3600, 7200]


@pytest.mark.parametrize(
    ("pts", "jump"), [(0, Discontinuity.PTS_BACKWARDS), (90_000, Discontinuity.GAP)]
)
def test_a_clock_that_jumps_goes_on_from_the_time_that_passed(pts, jump):
    steps = [(2000, 1.0), (2040, 1.04), (pts, 1.5), (pts + 40, 1.54)]
    assert placed(begun(), *steps)[2:] == [(2500, jump), (2540, None)]


def test_a_new_connection_bridges_the_time_between():
    clock = begun()
    clock.place(2000, MS, 1.0)
    clock.begin()
    assert placed(clock, (7, 4.0), (47, 4.0)) == [(5000, None), (5040, None)]


def test_repeated_and_missing_times_still_increase():
    assert placed(begun(), (0, 1.0), (0, 1.0), (None, 1.5), (None, 1.5)) == [
        (0, None),
        (1, None),
        (501, None),
        (502, None),
    ]


def test_a_source_without_a_clock_is_timed_by_arrival():
    arrivals = [10.0, 10.25, 12.0, 12.1]
    assert placed(begun(1.0), *((None, at) for at in arrivals)) == [
        (pts, None) for pts in (0, 250, 2000, 2100)
    ]


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.3, 2.0])
def test_a_clock_at_another_speed_is_stretched_to_the_time_that_passed(speed):
    """Twenty seconds of 20 pictures a second, whose stamps say that it was less or more."""
    clock = begun(1.0)
    slots = [clock.place(round(50 * speed * n), MS, 9 + n / 20) for n in range(400)]
    pts = [slot.pts for slot in slots]
    assert pts == sorted(set(pts))
    late = [after - before for before, after in itertools.pairwise(pts[200:])]
    assert sum(late) == pytest.approx(199 * 50, rel=0.02)
    assert max(late) < 100
    # of two seconds nothing is known yet, and what was given out too early cannot be taken back
    assert -200 <= pts[-1] - pts[0] - 399 * 50 <= 2100
    assert all(slot.jump is None for slot in slots)


def test_a_clock_that_goes_wrong_and_right_again_is_followed():
    clock, units, times = begun(1.0), 0, []
    for index in range(900):
        units += 25 if 300 <= index < 600 else 50
        times.append(clock.place(units, MS, index / 20).pts)
    assert times[-1] - times[-101] == 100 * 50
    assert times[299] - times[0] == 299 * 50


@pytest.mark.parametrize("jitter_s", [0.02, 0.3, 0.6])
def test_stalls_and_jitter_leave_the_stamps_alone(jitter_s):
    """Every second everything is held for a while and then comes at once, as on Wi-Fi."""
    clock = begun(1.0)
    pts = []
    for index in range(600):
        sent_s = index / 20
        held_s = max(sent_s, math.floor(sent_s) + jitter_s)
        pts.append(clock.place(50 * index, MS, 3 + held_s).pts)
    assert pts == [50 * index for index in range(600)]


def test_segments_ahead_of_their_time_leave_the_stamps_alone_and_are_due_in_turn():
    """Three segments of two seconds at first, then one every two seconds."""
    clock = begun(math.inf)
    slots = []
    for index in range(300):
        arrived_s = max(0.0, 2 * (index // 30 - 2)) + index % 30 / 1000
        slots.append(clock.place(67 * index, MS, arrived_s))
    assert [slot.pts for slot in slots] == [67 * index for index in range(300)]
    steps = [b.due_s - a.due_s for a, b in itertools.pairwise(slots)]
    assert steps == pytest.approx([0.067] * 299, abs=1e-6)


def test_old_pictures_at_the_start_cost_no_more_delay_than_the_buffer_and_it_goes_away():
    """A server that first sends the ten seconds since the last keyframe."""
    clock = begun(1.0)
    first = [clock.place(50 * n, MS, 7.0) for n in range(200)]
    assert max(slot.due_s for slot in first) == pytest.approx(8.0)
    rest = [clock.place(50 * (200 + n), MS, 7.05 + n / 20) for n in range(2000)]
    assert rest[-1].due_s == pytest.approx(7.05 + 1999 / 20, abs=0.01)
