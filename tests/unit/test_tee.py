"""Several outputs at once: slow, failing, and all gone."""

import threading

import pytest
from fakes import FakeProcessor, FakeSink, FakeSource, InjectedError
from waiting import HANG_S

from stream.errors import SinkError
from stream.output.tee import CAPACITY, Tee
from stream.pipeline import Pipeline


class Stuck(FakeSink):
    """Writes nothing until it is let go."""

    def __init__(self):
        super().__init__()
        self.free = threading.Event()

    def write(self, frame):
        assert self.free.wait(HANG_S)
        super().write(frame)


def play(tee, frames=100, **options):
    return Pipeline(FakeSource(frames, **options), FakeProcessor(), tee).run()


def counts(tee):
    return {
        entry["name"]: (entry["frames_written"], entry["frames_dropped"]) for entry in tee.report()
    }


def test_every_output_gets_every_frame_on_a_thread_of_its_own():
    threads = set()

    class Noting(FakeSink):
        def write(self, frame):
            threads.add(threading.current_thread().name)
            super().write(frame)

    here, a, b = Noting(), Noting(), Noting()
    tee = Tee(here, [("a", a), ("b", b)])
    play(tee, frames=CAPACITY)
    assert [len(sink.frames) for sink in (here, a, b)] == [CAPACITY] * 3
    assert [sink.calls[-1] for sink in (here, a, b)] == ["finish"] * 3
    assert threads == {threading.current_thread().name, "to a", "to b"}
    assert not tee.failed


def test_a_stuck_output_drops_its_oldest_frames_and_holds_nobody_up():
    stuck, fine = Stuck(), FakeSink()

    class Here(FakeSink):
        def write(self, frame):
            super().write(frame)
            if len(self.frames) == 100:
                stuck.free.set()

    here = Here()
    tee = Tee(here, [("stuck", stuck), ("fine", fine)])
    stats = play(tee)
    assert stats.frames_out == len(here.frames) == 100
    written, dropped = counts(tee)["stuck"]
    assert written + dropped == 100
    assert dropped >= 100 - CAPACITY - 1
    assert stuck.frames[-1].index == 99
    assert sum(counts(tee)["fine"]) == 100


def test_one_that_fails_is_named_and_the_rest_goes_on():
    said, fine = [], FakeSink()
    broken = FakeSink(point="write", position=3)
    tee = Tee(None, [("broken", broken), ("fine", fine)], on_message=said.append)
    play(tee)
    assert tee.failed
    assert broken.calls[-1] == "abort"
    assert fine.calls[-1] == "finish"
    assert said == ["broken has failed, the rest goes on: write 3"]
    assert [entry["error"] for entry in tee.report()] == ["write 3", None]


def test_when_none_is_left_the_run_ends():
    class Broken(FakeSink):
        def write(self, frame):
            raise SinkError("gone")

    tee = Tee(None, [("a", Broken()), ("b", Broken())])
    with pytest.raises(SinkError, match="no output is left"):
        play(tee, frames=10**7)
    assert tee.failed


@pytest.mark.parametrize("where", ["here", "branch"])
def test_one_that_cannot_be_opened_ends_the_run_at_once(where):
    broken, fine = FakeSink(point="open"), FakeSink()
    pair = (broken, [("fine", fine)]) if where == "here" else (fine, [("broken", broken)])
    tee = Tee(*pair)
    with pytest.raises(InjectedError):
        play(tee)
    assert not fine.frames
    assert fine.calls[-1] == "abort"


def test_an_error_elsewhere_aborts_them_all():
    here, branch = FakeSink(point="write", position=2), FakeSink()
    with pytest.raises(InjectedError):
        play(Tee(here, [("branch", branch)]))
    assert here.calls[-1] == "abort"
    assert branch.calls[-1] == "abort"


def test_one_that_fails_to_finish_is_reported():
    tee = Tee(FakeSink(), [("late", FakeSink(point="finish"))])
    play(tee)
    assert tee.failed
