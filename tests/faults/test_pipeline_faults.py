"""A fault in any stage, at any position, ends the run with that error and nothing left over."""

import signal
import threading
import traceback

import pytest
from fakes import FakeProcessor, FakeSink, FakeSource, InjectedError
from waiting import HANG_S

from stream.pipeline import Pipeline

FRAMES = 6
POSITIONS = (0, FRAMES // 2, FRAMES - 1)
POINTS = [
    *[("source", "read", position) for position in POSITIONS],
    *[("source", point, 0) for point in ("end", "close source")],
    *[("processor", "process", position) for position in POSITIONS],
    *[("processor", point, 0) for point in ("start", "flush", "close processor")],
    *[("sink", "write", position) for position in POSITIONS],
    *[("sink", point, 0) for point in ("open", "finish")],
]


def stages(stage, point, position):
    fault = {stage: {"point": point, "position": position}}
    source = FakeSource(FRAMES, **fault.get("source", {}))
    processor = FakeProcessor(lookahead=2, **fault.get("processor", {}))
    return source, processor, FakeSink(**fault.get("sink", {}))


@pytest.mark.parametrize(("stage", "point", "position"), POINTS)
def test_a_fault_anywhere_is_raised_and_everything_is_closed(stage, point, position):
    source, processor, sink = stages(stage, point, position)
    with pytest.raises(InjectedError, match=f"^{point} {position}$") as caught:
        Pipeline(source, processor, sink).run()
    assert "passing" in "".join(traceback.format_tb(caught.value.__traceback__))
    assert source.calls.count("close source") == 1
    assert processor.calls.count("close processor") == 1
    assert sink.calls.count("abort") == 1
    assert "finish" not in sink.calls or point == "finish"


def test_the_first_of_two_faults_wins():
    """The sink fails first; the processor's close, forced by that, fails second."""
    processor = FakeProcessor(point="close processor")
    with pytest.raises(InjectedError, match="write 1"):
        Pipeline(FakeSource(50), processor, FakeSink(point="write", position=1)).run()


def test_a_fault_in_abort_does_not_hide_the_cause():
    class Sink(FakeSink):
        def abort(self):
            raise RuntimeError("abort failed too")

    with pytest.raises(InjectedError, match="write 0"):
        Pipeline(FakeSource(), FakeProcessor(), Sink(point="write")).run()


def test_a_fault_in_the_progress_callback_ends_the_run():
    def progress(stats):
        raise InjectedError("progress")

    sink = FakeSink()
    with pytest.raises(InjectedError, match="progress"):
        Pipeline(FakeSource(50), FakeProcessor(), sink, on_progress=progress).run()
    assert sink.calls[-1] == "abort"


def test_a_blocked_put_is_woken_by_a_failing_sink():
    """Capture and inference have filled both channels when the sink fails."""
    source = FakeSource(10**9)
    full = threading.Event()

    class Counting(FakeProcessor):
        def process(self, frame):
            if frame.index == 2:
                full.set()
            return super().process(frame)

    class Sink(FakeSink):
        def write(self, frame):
            assert full.wait(HANG_S)
            raise InjectedError("write")

    with pytest.raises(InjectedError, match="write"):
        Pipeline(source, Counting(), Sink(), capacity=1).run()


@pytest.mark.parametrize("position", [0, 3])
def test_ctrl_c_while_writing_aborts_and_is_raised(position):
    class Sink(FakeSink):
        def write(self, frame):
            super().write(frame)
            if frame.index == position:
                raise KeyboardInterrupt

    source, sink = FakeSource(10**9), Sink()
    with pytest.raises(KeyboardInterrupt):
        Pipeline(source, FakeProcessor(), sink).run()
    assert sink.calls[-1] == "abort"
    assert source.calls[-1] == "close source"


def test_ctrl_c_while_waiting_for_a_frame_is_raised():
    """A real SIGINT reaches the caller's thread in the channel; a second one while it joins."""

    opened = threading.Event()

    class Sink(FakeSink):
        def open(self, info):
            super().open(info)
            opened.set()

    class Holding(FakeProcessor):
        def process(self, frame):
            if frame.index == 5:
                assert opened.wait(HANG_S)
                interrupt()
            return super().process(frame)

        def close(self):
            super().close()
            interrupt()

    def interrupt():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    processor, sink = Holding(lookahead=10**9), Sink()
    with pytest.raises(KeyboardInterrupt):
        Pipeline(FakeSource(10**9), processor, sink).run()
    assert sink.calls == ["open", "abort"]
    assert processor.calls[-1] == "close processor"
