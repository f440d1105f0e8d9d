"""Connections that fail, end and jump, without a network or a clock."""

from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeSource

from stream.capture.reconnect import Patience, ReconnectingSource
from stream.capture.splice import Splice
from stream.errors import OpenError, SourceError
from stream.frame import Discontinuity, Planes

MS = Fraction(1, 1000)


class Connection:
    """Gives pictures with these pts, then ends or fails."""

    def __init__(self, *pts, error=None, width=2, failures=0):
        self.info = FakeSource(live=True).info
        self.decode_failures = failures
        self.closed = False
        self._pts = pts
        self._error = error
        self._planes = Planes((np.zeros((2, width), np.uint8),))

    def pictures(self):
        for pts in self._pts:
            yield self._planes, pts
        if self._error:
            raise self._error

    def close(self):
        self.closed = True


class World:
    """What happens on each attempt to connect, and the time that waiting takes."""

    def __init__(self, *attempts):
        self.attempts = list(attempts)
        self.waited = []
        self.now = 50.0
        self.said = []

    def connect(self):
        attempt = self.attempts.pop(0)
        if isinstance(attempt, Exception):
            raise attempt
        return attempt

    def wait(self, seconds):
        self.waited.append(seconds)
        self.now += seconds
        return not self.attempts

    def source(self, **patience):
        return ReconnectingSource(
            self.connect,
            Patience(**patience),
            on_message=self.said.append,
            clock=lambda: self.now,
            wait=self.wait,
        )


def test_it_waits_twice_as_long_each_time_up_to_a_cap_and_starts_over():
    refused = OpenError("refused")
    world = World(
        Connection(0), *[refused] * 5, Connection(0, error=SourceError("silent")), Connection(0)
    )
    source = world.source(first_s=1, longest_s=4)
    frames = list(source.frames())
    assert world.waited == [1, 2, 4, 4, 4, 4, 1, 1]
    reasons = [frame.discontinuity for frame in frames]
    assert reasons == [Discontinuity.START, Discontinuity.RECONNECT, Discontinuity.RECONNECT]
    assert source.reconnects == 2
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert "ended it; connecting again" in world.said[0]
    assert "there again after 19.0 s" in world.said[1]
    assert "silent; connecting again" in world.said[2]


def test_it_gives_up_after_its_patience():
    world = World(Connection(0), *[OpenError("refused")] * 9)
    source = world.source(first_s=1, longest_s=4, give_up_s=10)
    with pytest.raises(SourceError, match=r"no connection for 10 s \(refused\)"):
        list(source.frames())
    assert sum(world.waited) == 11


def test_the_first_connection_is_not_tried_again():
    world = World(OpenError("refused"), Connection(0))
    with pytest.raises(OpenError):
        world.source()
    assert world.waited == []


def test_failures_and_closings_are_kept_over_connections():
    first, second = Connection(0, failures=2), Connection(0, failures=3)
    source = World(first, second).source()
    assert len(list(source.frames())) == 2
    source.close()
    assert source.decode_failures == 5
    assert first.closed
    assert second.closed


def test_another_size_is_brought_to_the_first_one():
    source = World(Connection(0), Connection(0, width=64)).source()
    assert [(frame.width, frame.height) for frame in source.frames()] == [(2, 2)] * 2


def placed(splice, *steps):
    return [splice.place(pts, MS, at) for pts, at in steps]


def test_a_steady_clock_is_kept_as_it_is():
    steps = [(700, 5.0), (733, 5.5), (766, 5.5), (800, 5.6)]
    assert placed(Splice(MS), *steps) == [(700, None), (733, None), (766, None), (800, None)]


def test_other_units_are_converted():
    splice = Splice(Fraction(1, 90_000))
    assert [splice.place(pts, MS, 0.0)[0] for pts in (0, 40, 80)] == [0, 3600, 7200]


@pytest.mark.parametrize(
    ("pts", "jump"), [(0, Discontinuity.PTS_BACKWARDS), (90_000, Discontinuity.GAP)]
)
def test_a_clock_that_jumps_goes_on_from_the_time_that_passed(pts, jump):
    steps = [(2000, 1.0), (2040, 1.04), (pts, 1.5), (pts + 40, 1.54)]
    assert placed(Splice(MS), *steps)[2:] == [(2500, jump), (2540, None)]


def test_a_new_connection_bridges_the_time_between():
    splice = Splice(MS)
    splice.place(2000, MS, 1.0)
    splice.begin()
    assert placed(splice, (7, 4.0), (47, 4.0)) == [(5000, None), (5040, None)]


def test_repeated_and_missing_times_still_increase():
    splice = Splice(MS)
    assert placed(splice, (0, 1.0), (0, 1.0), (None, 1.5), (None, 1.5)) == [
        (0, None),
        (1, None),
        (501, None),
        (502, None),
    ]
