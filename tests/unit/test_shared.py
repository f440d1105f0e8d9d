"""Several streams on one deblurrer."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, wait
from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest
from waiting import HANG_S

from stream.errors import ModelError
from stream.frame import Frame, Planes
from stream.inference.shared import SharedDeblurrer


def frame(index: int, size: int = 2) -> Frame:
    planes = Planes((np.full((size, size), index, np.uint8),))
    return Frame(planes=planes, pts=index, time_base=Fraction(1, 30), index=index)


class Recorder:
    """Notes its batches; begins one only when `go` is released once for it."""

    def __init__(self, *, fails_at_size: int = 0) -> None:
        self.batches: list[list[tuple[int, int, int]]] = []
        self.forgotten: list[int] = []
        self.closed = False
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.threads: set[str] = set()
        self._fails_at_size = fails_at_size

    def process_batch(self, frames):
        self.threads.add(threading.current_thread().name)
        self.batches.append([(f.stream_id, f.index, f.gap) for f in frames])
        self.begun.release()
        assert self.go.acquire(timeout=HANG_S)
        if frames[0].width == self._fails_at_size:
            raise ModelError("out of memory")
        return [f.replace(duration=1) for f in frames]

    def forget(self, stream_id):
        self.forgotten.append(stream_id)

    def close(self):
        self.closed = True

    def wait_begun(self) -> None:
        assert self.begun.acquire(timeout=HANG_S)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def shared(recorder):
    shared = SharedDeblurrer(recorder)
    yield shared
    recorder.go.release(1000)
    shared.close()
    assert recorder.closed


def test_frames_of_several_streams_share_a_batch(shared, recorder):
    first, *streams = [shared.open(live=True) for _ in range(4)]
    busy = first.submit(frame(0))
    recorder.wait_begun()
    results = [stream.submit(frame(7)) for stream in streams]
    recorder.go.release(2)
    wait([busy, *results], HANG_S)
    assert recorder.batches == [[(1, 0, 0)], [(2, 7, 0), (3, 7, 0), (4, 7, 0)]]
    assert [result.result().stream_id for result in results] == [2, 3, 4]
    assert recorder.threads == {"inference"}
    assert (shared.batches, shared.frames) == (2, 4)


def test_a_batch_is_no_larger_than_allowed(recorder):
    shared = SharedDeblurrer(recorder, max_batch=2)
    first, *streams = [shared.open(live=True) for _ in range(4)]
    busy = first.submit(frame(0))
    recorder.wait_begun()
    results = [stream.submit(frame(7)) for stream in streams]
    recorder.go.release(3)
    wait([busy, *results], HANG_S)
    assert [len(batch) for batch in recorder.batches] == [1, 2, 1]
    shared.close()


def test_the_newest_frame_of_a_live_stream_wins_and_counts_what_it_replaced(shared, recorder):
    stream = shared.open(live=True)
    results = [stream.submit(frame(0))]
    recorder.wait_begun()
    results += [stream.submit(frame(index)) for index in (1, 2, 3)]
    recorder.go.release(2)
    wait(results, HANG_S)
    assert recorder.batches == [[(1, 0, 0)], [(1, 3, 2)]]
    assert [result.cancelled() for result in results] == [False, True, True, False]
    with pytest.raises(CancelledError):
        results[1].result()


def test_live_and_recorded_streams_take_turns(shared, recorder):
    live, recorded = shared.open(live=True), shared.open(live=False)
    results = [live.submit(frame(0))]
    recorder.wait_begun()
    for index in (1, 2):
        results += [recorded.submit(frame(index)), live.submit(frame(index))]
        for _ in range(2):
            recorder.go.release()
            recorder.wait_begun()
    recorder.go.release()
    wait(results, HANG_S)
    assert [batch[0][0] for batch in recorder.batches] == [1, 2, 1, 2, 1]


def test_recorded_streams_are_served_in_the_order_of_their_waiting(shared, recorder):
    first, *streams = [shared.open(live=False) for _ in range(3)]
    results = [first.submit(frame(0))]
    recorder.wait_begun()
    results += [stream.submit(frame(1)) for stream in (*streams, first)]
    recorder.go.release(4)
    wait(results, HANG_S)
    assert [batch[0][0] for batch in recorder.batches] == [1, 2, 3, 1]


def test_an_error_hits_only_the_streams_of_its_batch():
    recorder = Recorder(fails_at_size=4)
    shared = SharedDeblurrer(recorder)
    first, second, third = [shared.open(live=True) for _ in range(3)]
    busy = first.submit(frame(0))
    recorder.wait_begun()
    big, small = second.submit(frame(1, size=4)), third.submit(frame(1))
    recorder.go.release(4)
    wait([busy, big, small], HANG_S)
    with pytest.raises(ModelError, match="out of memory"):
        big.result()
    assert small.result().duration == 1
    again = second.submit(frame(2))
    assert again.result(HANG_S).duration == 1
    shared.close()


def test_a_closed_stream_is_forgotten_and_what_it_waited_for_cancelled(shared, recorder):
    stream, other = shared.open(live=True), shared.open(live=True)
    busy = other.submit(frame(0))
    recorder.wait_begun()
    waiting = stream.submit(frame(0))
    stream.close()
    assert waiting.cancelled()
    recorder.go.release(2)
    busy.result(HANG_S)
    other.submit(frame(1)).result(HANG_S)
    assert recorder.forgotten == [stream.stream_id]


def test_closing_finishes_the_batch_in_hand_and_fails_what_waits(recorder):
    shared = SharedDeblurrer(recorder)
    first, second = shared.open(live=True), shared.open(live=True)
    busy = first.submit(frame(0))
    recorder.wait_begun()
    waiting = second.submit(frame(0))
    ending = threading.Thread(target=shared.close)
    ending.start()
    recorder.go.release()
    ending.join(HANG_S)
    assert busy.result(0).duration == 1
    with pytest.raises(ModelError, match="closed"):
        waiting.result(0)
    with pytest.raises(ModelError, match="closed"):
        first.submit(frame(1))
    shared.close()


class Faulty(Recorder):
    """Does what the engine promises not to do, once."""

    def __init__(self, fault):
        super().__init__()
        self._fault = fault

    def process_batch(self, frames):
        results = super().process_batch(frames)
        fault, self._fault = self._fault, None
        if isinstance(fault, BaseException):
            raise fault
        return results[1:] if fault == "too few" else results * 2 if fault else results


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("too few", "the engine gave 0 frames for 1"),
        ("too many", "the engine gave 2 frames for 1"),
        (SystemExit("gone\nfor good"), r"the engine failed \(SystemExit: gone for good\)"),
    ],
)
def test_a_broken_promise_fails_who_waits_for_it_and_the_thread_goes_on(fault, says):
    recorder = Faulty(fault)
    recorder.go.release(2)
    with closing(SharedDeblurrer(recorder)) as shared:
        stream = shared.open(live=True)
        with pytest.raises(ModelError, match=says):
            stream.submit(frame(0)).result(HANG_S)
        assert stream.submit(frame(1)).result(HANG_S).index == 1
    assert recorder.closed


def test_an_error_outside_a_batch_fails_all_that_wait_at_once_and_the_thread_goes_on(
    shared, recorder, monkeypatch
):
    def forget(stream_id):
        recorder.forgotten.append(stream_id)
        forgotten.release()
        raise RuntimeError("the accelerator is gone")

    forgotten = threading.Semaphore(0)
    monkeypatch.setattr(recorder, "forget", forget)
    first, leaving, also_leaving, *others = [shared.open(live=True) for _ in range(5)]
    busy = first.submit(frame(0))
    recorder.wait_begun()
    waiting = [other.submit(frame(1)) for other in (*others, shared.open(live=False))]
    leaving.close()
    also_leaving.close()
    recorder.go.release()
    assert busy.result(HANG_S).index == 0
    for request in waiting:
        with pytest.raises(ModelError, match=r"the engine failed .*the accelerator is gone"):
            request.result(HANG_S)
    for _ in (leaving, also_leaving):
        assert forgotten.acquire(timeout=HANG_S)
    assert sorted(recorder.forgotten) == [leaving.stream_id, also_leaving.stream_id]
    recorder.go.release()
    while True:  # a request that comes before the second failure is over is part of it
        try:
            assert first.submit(frame(2)).result(HANG_S).index == 2
            break
        except ModelError:
            continue


def test_an_engine_that_cannot_be_closed_leaves_nobody_waiting(recorder, monkeypatch):
    def close():
        raise RuntimeError("it does not let go")

    monkeypatch.setattr(recorder, "close", close)
    monkeypatch.setattr(threading, "excepthook", lambda failed: None)
    shared = SharedDeblurrer(recorder)
    first, second = shared.open(live=True), shared.open(live=True)
    busy = first.submit(frame(0))
    recorder.wait_begun()
    waiting = second.submit(frame(0))
    with shared._changed:  # as `close` does, without waiting for the thread
        shared._closed = True
    recorder.go.release()
    shared.close()
    assert busy.result(0).index == 0
    with pytest.raises(ModelError, match="closed"):
        waiting.result(0)


def test_work_of_a_recorded_stream_takes_turns_with_live_frames(shared, recorder):
    live, recorded = shared.open(live=True), shared.open(live=False)
    busy = live.submit(frame(0))
    recorder.wait_begun()
    threads = []
    work = recorded.run(lambda: threads.append(threading.current_thread().name), frames=3)
    with pytest.raises(RuntimeError, match="one thing after the other"):
        recorded.run(lambda: None)
    later = live.submit(frame(1))
    recorder.go.release(2)
    wait([busy, work, later], HANG_S)
    assert threads == list(recorder.threads)
    assert (shared.batches, shared.frames) == (3, 5)


def test_work_that_fails_tells_its_stream_alone(shared, recorder):
    recorder.go.release()
    live, recorded = shared.open(live=True), shared.open(live=False)

    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        recorded.run(fail).result(HANG_S)
    assert live.submit(frame(0)).result(HANG_S).index == 0
