"""Receivers that fail, stay away and come back, without a network or a clock."""

import pytest
from fakes import PLANES, FakeSink, FakeSource

from stream.errors import ReceiverError, SinkError
from stream.frame import Frame
from stream.output.reconnect import SLOW_S, ReconnectingSink
from stream.patience import Patience


class Receiver(FakeSink):
    """Breaks at its n-th frame."""

    def __init__(self, breaks=10**9):
        super().__init__()
        self._breaks = breaks

    def write(self, frame):
        if len(self.frames) == self._breaks:
            raise SinkError("gone")
        super().write(frame)


class Absent(FakeSink):
    """Cannot be connected to, which takes so long to find out."""

    def __init__(self, world, took_s=0.0):
        super().__init__()
        self._world, self._took_s = world, took_s

    def open(self, info):
        self._world.now += self._took_s
        raise SinkError("refused")


class World:
    """What each attempt meets, a frame a second, and all that is said."""

    def __init__(self):
        self.attempts = []
        self.now = 50.0
        self.tried_s = []
        self.said = []
        self.asked = 0

    def make(self):
        self.tried_s.append(self.now - 50)
        return self.attempts.pop(0)

    def ask(self):
        self.asked += 1

    def sink(self, *attempts, **patience):
        self.attempts = list(attempts)
        return ReconnectingSink(
            self.make,
            "far",
            Patience(**patience),
            ask=self.ask,
            on_message=self.said.append,
            clock=lambda: self.now,
        )

    def play(self, sink, count):
        for index in range(count):
            self.now += 1
            sink.write(Frame(planes=PLANES, pts=index, time_base=FakeSource().info.time_base))


def test_one_that_breaks_is_tried_again_ever_more_seldom_and_frames_are_counted():
    world, far = World(), Receiver()
    sink = world.sink(
        Receiver(3), *[Absent(world) for _ in range(4)], far, first_s=1.0, longest_s=4.0
    )
    sink.open(FakeSource().info)
    world.play(sink, 30)
    sink.finish()
    assert world.tried_s == [0, 5, 7, 11, 15, 19]
    assert sink.reconnects == 1
    assert sink.frames_missed == 15
    assert len(far.frames) == 30 - 3 - 15
    assert far.calls[-1] == "finish"
    assert world.said == ["gone; connecting again", "far: there again after 15.0 s"]


def test_one_that_stays_away_too_long_is_given_up():
    world = World()
    sink = world.sink(Receiver(3), *[Absent(world) for _ in range(9)], first_s=1.0, give_up_s=10)
    sink.open(FakeSource().info)
    with pytest.raises(SinkError, match=r"no connection for 10 s \(refused\)"):
        world.play(sink, 60)
    assert world.now <= 50 + 4 + 16


def test_one_that_was_never_there_is_waited_for_only_where_asked():
    world = World()
    with pytest.raises(SinkError, match="refused"):
        world.sink(Absent(world)).open(FakeSource().info)
    sink = world.sink(Absent(world), Absent(world), Receiver(), wait_s=20)
    sink.open(FakeSource().info)
    world.play(sink, 8)
    assert sink.reconnects == 0
    assert world.said[-1].startswith("far: there after")


class Forbidding(FakeSink):
    def open(self, info):
        raise ReceiverError("has nothing of that name (404)")


def test_one_that_will_never_take_it_ends_the_waiting_at_once():
    world = World()
    sink = world.sink(Forbidding(), wait_s=600)
    with pytest.raises(ReceiverError, match="404"):
        sink.open(FakeSource().info)
    assert world.said == []
    sink = world.sink(Absent(world), Forbidding(), wait_s=600)
    sink.open(FakeSource().info)
    with pytest.raises(ReceiverError, match="404"):
        world.play(sink, 8)


def test_one_that_was_there_may_forbid_it_for_a_while_as_it_starts_again():
    world = World()
    sink = world.sink(Receiver(3), Forbidding(), Receiver())
    sink.open(FakeSource().info)
    world.play(sink, 30)
    assert sink.reconnects == 1


def test_one_that_is_away_at_the_end_has_failed():
    world = World()
    sink = world.sink(Receiver(3))
    sink.open(FakeSource().info)
    world.play(sink, 4)
    with pytest.raises(SinkError, match="gone"):
        sink.finish()


def test_one_that_does_not_answer_is_asked_first():
    """For an attempt to connect holds up every thread, and asking does not."""
    world = World()
    sink = world.sink(Absent(world, 2 * SLOW_S), Absent(world), Absent(world), wait_s=20)
    sink.open(FakeSource().info)
    world.play(sink, 1)
    assert world.asked == 1
    world.play(sink, 2)
    assert world.asked == 1
