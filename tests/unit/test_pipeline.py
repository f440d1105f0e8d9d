import contextlib
import gc
import itertools
import subprocess
import sys
import threading
import weakref

import pytest
from fakes import FakeProcessor, FakeSink, FakeSource, InjectedError
from waiting import HANG_S

from stream.errors import JobError
from stream.frame import Discontinuity
from stream.pipeline import Pipeline


@pytest.mark.parametrize("frames", [0, 1, 2, 30])
@pytest.mark.parametrize("lookahead", [0, 2])
def test_every_frame_of_a_file_comes_out_in_order(frames, lookahead):
    sink = FakeSink()
    stats = Pipeline(FakeSource(frames), FakeProcessor(lookahead), sink).run()
    assert [frame.pts for frame in sink.frames] == list(range(frames))
    assert (stats.frames_in, stats.frames_out, stats.frames_dropped) == (frames, frames, 0)
    assert sink.calls[-1] == "finish"


def test_each_stage_is_opened_and_closed_once_and_on_its_thread():
    threads = {}

    class Noting:
        def passing(self, point):
            threads.setdefault(point, set()).add(threading.current_thread().name)
            super().passing(point)

    class Source(Noting, FakeSource):
        pass

    class Processor(Noting, FakeProcessor):
        pass

    class Sink(Noting, FakeSink):
        pass

    source, processor, sink = Source(3), Processor(), Sink()
    Pipeline(source, processor, sink).run()
    here = threading.current_thread().name
    assert threads == {
        **{point: {"capture"} for point in ("read", "end", "close source")},
        **{point: {"inference"} for point in ("start", "process", "flush", "close processor")},
        **{point: {here} for point in ("open", "write", "finish")},
    }
    assert source.calls.count("close source") == processor.calls.count("close processor") == 1
    assert sink.calls.count("open") == sink.calls.count("finish") == 1


def test_nothing_is_captured_before_the_processor_is_warm():
    source = FakeSource(3)

    class SlowStart(FakeProcessor):
        def start(self, info):
            super().start(info)
            self.read_before = list(source.calls)

    processor = SlowStart()
    Pipeline(source, processor, FakeSink()).run()
    assert processor.read_before == []


def test_live_source_drops_the_oldest_and_marks_the_gap():
    """The processor takes its first frame only when the source has delivered all ten."""
    source = FakeSource(10, live=True)

    class Late(FakeProcessor):
        def process(self, frame):
            assert all_read.wait(HANG_S)
            return super().process(frame)

    all_read = threading.Event()
    source.close = all_read.set
    sink = FakeSink()
    stats = Pipeline(source, Late(), sink, capacity=1).run()
    assert stats.frames_in == 10
    assert stats.frames_out == len(sink.frames) < 10
    assert stats.frames_in == stats.frames_out + stats.frames_dropped
    assert sink.frames[-1].pts == 9
    indices = [frame.index for frame in sink.frames]
    steps = [after - before for before, after in itertools.pairwise(indices)]
    assert [frame.gap for frame in sink.frames[1:]] == [step - 1 for step in steps]


def test_a_break_of_the_stream_outlives_the_frame_that_told_of_it():
    """A frame that said RECONNECT may be dropped; the state must not cross all the same."""

    class Breaking(FakeSource):
        def frames(self):
            for frame in super().frames():
                broken = frame.index == 3
                yield frame.replace(
                    discontinuity=Discontinuity.RECONNECT if broken else frame.discontinuity
                )

    class Late(FakeProcessor):
        def process(self, frame):
            assert all_read.wait(HANG_S)
            return super().process(frame)

    all_read = threading.Event()
    source = Breaking(10, live=True)
    source.close = all_read.set
    sink = FakeSink()
    Pipeline(source, Late(), sink, capacity=1).run()
    last = sink.frames[-1]
    assert (last.index, last.discontinuity) == (9, Discontinuity.RECONNECT)


@pytest.mark.parametrize("point", [None, "write"])
def test_the_source_is_told_to_stop_waiting(point):
    source = FakeSource(10**6)
    pipeline = Pipeline(
        source, FakeProcessor(), FakeSink(point=point), on_progress=lambda stats: pipeline.stop()
    )
    with contextlib.suppress(InjectedError):
        pipeline.run()
    assert source.stopped


def test_stop_ends_a_source_without_end_and_finishes_the_sink():
    sink = FakeSink()
    pipeline = Pipeline(
        FakeSource(10**9), FakeProcessor(1), sink, on_progress=lambda stats: pipeline.stop()
    )
    stats = pipeline.run()
    assert 0 < stats.frames_out == stats.frames_in < 100
    assert sink.calls[-1] == "finish"


def test_lost_frames_of_a_file_are_an_error():
    class Losing(FakeProcessor):
        def flush(self):
            return []

    sink = FakeSink()
    with pytest.raises(JobError, match="6 frames went in but 5 came out"):
        Pipeline(FakeSource(6), Losing(lookahead=1), sink).run()
    assert sink.calls[-1] == "abort"


def test_progress_is_reported_after_each_frame_on_the_callers_thread():
    seen = []

    def progress(stats):
        seen.append((stats.frames_out, stats.frames_expected, threading.current_thread()))

    Pipeline(FakeSource(4), FakeProcessor(), FakeSink(), on_progress=progress).run()
    assert seen == [(count, 4, threading.current_thread()) for count in (1, 2, 3, 4)]


def test_stages_and_latency_are_measured():
    """A clock that ticks once a call: each stage's work is at least one tick, never nothing."""
    ticks = iter(range(10**6))
    stats = Pipeline(
        FakeSource(5), FakeProcessor(), FakeSink(), clock=lambda: float(next(ticks))
    ).run()
    report = stats.report()
    assert all(stage["busy_s"] >= 5 for stage in report["stages"].values())
    assert all(stage["p50_ms"] >= 990 for stage in report["stages"].values())
    assert report["latency_ms"]["p99"] >= report["latency_ms"]["p50"] > 0
    assert stats.duration_s > 0


def test_decode_failures_are_reported():
    source = FakeSource(3)
    source.decode_failures = 2
    assert Pipeline(source, FakeProcessor(), FakeSink()).run().decode_failures == 2


def test_only_the_first_frame_starts():
    sink = FakeSink()
    Pipeline(FakeSource(3), FakeProcessor(), sink).run()
    assert [frame.discontinuity for frame in sink.frames] == [Discontinuity.START, None, None]


def test_the_pipeline_knows_no_codec_no_display_and_no_model():
    code = (
        "import sys, stream.pipeline;"
        "print([name for name in ('av', 'cv2', 'tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_that_is_over_is_freed_at_once():
    """A cycle through its threads kept every segment's encoder until the garbage collector came."""
    gc.disable()
    try:
        sink = FakeSink()
        freed = weakref.ref(sink)
        Pipeline(FakeSource(3), FakeProcessor(), sink).run()
        del sink
        assert freed() is None
    finally:
        gc.enable()
