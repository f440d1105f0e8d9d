"""Connections that fail, end and jump, without a network or a clock."""

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeSource

from stream.capture.connection import Arrival
from stream.capture.reconnect import ReconnectingSource
from stream.errors import OpenError, SourceError
from stream.frame import Discontinuity, Planes
from stream.patience import Patience

MS = Fraction(1, 1000)


class Connection:
    """Gives pictures with these pts, then ends or fails."""

    buffer_s = 0.0

    def __init__(self, *pts, error=None, width=2, failures=0):
        self.info = FakeSource(live=True).info
        self.decode_failures = failures
        self.closed = False
        self._pts = pts
        self._error = error
        self._planes = Planes((np.zeros((2, width), np.uint8),))

    def pictures(self):
        for pts in self._pts:
            yield Arrival(self._planes, pts, 0.0)
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

    def source(self, *, paced=True, **patience):
        return ReconnectingSource(
            self.connect,
            Patience(**patience),
            paced=paced,
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


def test_waiting_for_the_first_connection_is_said_once():
    """Also where every wait is as long as the first, as for addresses that listen."""
    world = World(*[OpenError("nothing came")] * 5, Connection(0))
    world.source(longest_s=0.5, wait_s=60)
    assert world.said == ["nothing came; trying again for 60 s"]


def test_failures_and_closings_are_kept_over_connections():
    first, second = Connection(0, failures=2), Connection(0, failures=3)
    source = World(first, second).source()
    assert len(list(source.frames())) == 2
    source.close()
    assert source.decode_failures == 5
    assert first.closed
    assert second.closed


def test_another_size_is_said_once_counted_and_fitted():
    world = World(Connection(0, 1), Connection(0, 1, width=64))
    source = world.source()
    assert [(frame.width, frame.height) for frame in source.frames()] == [(2, 2)] * 4
    assert source.size_changes == 1
    assert sum("pictures are 64x2 now" in message for message in world.said) == 1


class Bursts(Connection):
    """Half a second of pictures at once, every half second, each 50 ms after the one before."""

    def __init__(self, world, count, buffer_s):
        super().__init__()
        self.info = dataclasses.replace(self.info, time_base=MS)
        self.buffer_s = buffer_s
        self._world, self._count = world, count

    def pictures(self):
        for index in range(self._count):
            arrived_s = 50.0 + index // 10 * 0.5
            self._world.now = max(self._world.now, arrived_s)
            yield Arrival(self._planes, 50 * index, arrived_s)


@pytest.mark.parametrize("buffer_s", [1.0, math.inf])
def test_pictures_of_a_burst_are_shown_at_their_own_pace(buffer_s):
    world = World()
    world.attempts = [Bursts(world, 40, buffer_s), None]
    shown = [frame.captured_at for frame in itertools.islice(world.source().frames(), 40)]
    steps = [after - before for before, after in itertools.pairwise(shown)]
    assert steps == pytest.approx([0.05] * 39, abs=0.02)


def test_nothing_waits_where_nobody_watches():
    world = World()
    world.attempts = [Bursts(world, 40, 1.0), None]
    frames = list(itertools.islice(world.source(paced=False).frames(), 40))
    assert world.waited == []
    assert [frame.pts for frame in frames] == [50 * index for index in range(40)]


@pytest.mark.parametrize(("last_s", "told"), [(4, True), (59, False)])
def test_a_recorded_video_that_ends_long_before_its_end_is_told(last_s, told):
    connection = Connection(0, last_s * 30)
    connection.info = dataclasses.replace(connection.info, duration_s=60.0)
    world = World(connection)
    assert len(list(world.source().frames())) == 2
    assert any(f"ended after {last_s}.0 of 60.0 s" in line for line in world.said) == told
