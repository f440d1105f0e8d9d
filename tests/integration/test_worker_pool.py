"""Segments side by side: the same bytes as one after the other, however it ends."""

import threading
from contextlib import closing
from fractions import Fraction

import pytest
from clips import Clip, times
from fakes import Averaging, FakeProcessor, InjectedError
from waiting import HANG_S

from stream.capture.file import FileSource
from stream.jobs import CleanOptions, WorkerPool, clean_file
from stream.jobs.reader import Reader
from stream.output.encoder import EncoderOptions

MILLI = Fraction(1, 1000)
GOP = (("preset", "ultrafast"), ("g", "10"), ("bf", "2"), ("b-pyramid", "none"))
HALF = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 2))
SPEC = Clip(width=64, height=48, frames=90, options=GOP, audio="aac")
CLIPS = {
    "constant rate": SPEC,
    "variable rate": Clip(width=64, height=48, frames=60, gaps=(512, 300, 3000), options=GOP),
    "spans without pictures": Clip(width=64, height=48, frames=9, gaps=(512, 20000)),
    "matroska": Clip(".mkv", width=64, height=48, frames=60, time_base=MILLI, gaps=(40,)),
    "no index": Clip(
        ".ts", width=64, height=48, frames=60, time_base=Fraction(1, 90000), gaps=(3600,)
    ),
    "one segment": Clip(width=64, height=48, frames=5),
}


class Meeting(Averaging):
    """Goes on with its first frame only when another of its kind is at its own."""

    def __init__(self, place, **fault):
        super().__init__(**fault)
        self._place = place
        self._met = False

    def process(self, frame):
        if not self._met:
            self._place.wait()
            self._met = True
        return super().process(frame)


class Starting(Averaging):
    """Sets an event when it is started for a second segment, so the first one is finished."""

    def __init__(self, event):
        super().__init__()
        self._event = event

    def start(self, info):
        super().start(info)
        if self.calls.count("start") == 3:  # the first is for warming up
            self._event.set()


class Late(Averaging):
    """Waits for an event before it goes on with any frame."""

    def __init__(self, event, **fault):
        super().__init__(**fault)
        self._event = event

    def process(self, frame):
        assert self._event.wait(HANG_S)
        return super().process(frame)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("spec", CLIPS.values(), ids=CLIPS)
def test_the_outcome_is_that_of_one_after_the_other(spec, workers, clip, tmp_path):
    source = clip(spec)
    one, pool = tmp_path / f"one{spec.suffix}", tmp_path / f"pool{spec.suffix}"
    expected = clean_file(source, one, Averaging(), HALF).stats
    stats = clean_file(source, pool, WorkerPool([Averaging() for _ in range(workers)]), HALF).stats
    assert pool.read_bytes() == one.read_bytes()
    assert (stats.frames_in, stats.frames_out) == (expected.frames_in, expected.frames_out)


SLOW = Clip(width=64, height=48, frames=100, gaps=(3200,), options=(*GOP[:1], ("g", "4")))
"""25 seconds of four frames, with a keyframe in each."""
FIVE_S = CleanOptions(EncoderOptions(crf=23, preset="ultrafast"), segment_s=Fraction(5))


def test_nobody_decodes_all_that_others_have(clip, tmp_path, monkeypatch):
    source, one, pool = clip(SLOW), tmp_path / "one.mp4", tmp_path / "pool.mp4"
    clean_file(source, one, Averaging(), FIVE_S)
    read, honest = [], FileSource._frame
    monkeypatch.setattr(FileSource, "_frame", lambda *args: read.append(args) or honest(*args))
    clean_file(source, pool, WorkerPool([Averaging() for _ in range(4)]), FIVE_S)
    assert pool.read_bytes() == one.read_bytes()
    assert 100 <= len(read) < 200  # up to four seconds before each of four beginnings, not 400


@pytest.mark.parametrize("astray", [-1, 1, 40])
def test_a_search_that_leads_elsewhere_is_found_out_and_costs_nothing(
    astray, clip, tmp_path, monkeypatch
):
    source, one, pool = clip(SLOW), tmp_path / "one.mp4", tmp_path / "pool.mp4"
    expected = clean_file(source, one, Averaging(), FIVE_S).stats
    searched, honest = [], Reader.skip_to

    def skip_to(reader, start):
        searched.append(start)
        honest(reader, start + 3200 * astray)

    monkeypatch.setattr(Reader, "skip_to", skip_to)
    stats = clean_file(source, pool, WorkerPool([Averaging(), Averaging()]), FIVE_S).stats
    assert searched
    assert pool.read_bytes() == one.read_bytes()
    assert (stats.frames_in, stats.frames_out) == (expected.frames_in, expected.frames_out)


@pytest.mark.parametrize("spec", [SLOW, CLIPS["no index"]], ids=["searched", "read on"])
def test_a_reader_that_skips_is_where_one_is_that_reads_on(spec, clip):
    with closing(Reader(clip(spec), 8)) as skips, closing(Reader(clip(spec), 8)) as reads:
        end = reads.info.start_pts + round(reads.info.duration_s * 2 / 3 / reads.info.time_base)
        skips.skip_to(end)
        reads.pass_over(end)
        assert reads.next_pts is not None
        assert (skips.next_pts, skips.marks()) == (reads.next_pts, reads.marks())


def test_workers_work_at_the_same_time(clip, tmp_path):
    place = threading.Barrier(2, timeout=HANG_S)
    pool = WorkerPool([Meeting(place), Meeting(place)])
    assert clean_file(clip(SPEC), tmp_path / "out.mp4", pool, HALF).stats.frames_out == 90
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]


def test_progress_counts_all_workers_and_never_goes_back(clip, tmp_path):
    seen = []
    pool = WorkerPool([FakeProcessor(), FakeProcessor()])
    clean_file(clip(SPEC), tmp_path / "out.mp4", pool, HALF, seen.append)
    assert [stats.frames_out for stats in seen] == list(range(1, 91))
    assert all(stats.frames_expected == 90 for stats in seen)


@pytest.mark.parametrize("faulty", [0, 1])
def test_what_one_worker_fails_with_ends_all_and_costs_no_finished_segment(faulty, clip, tmp_path):
    source, target, expected = clip(SPEC), tmp_path / "out.mp4", tmp_path / "expected.mp4"
    clean_file(source, expected, Averaging(), HALF)
    done = threading.Event()
    processors = [Starting(done), Starting(done)]
    processors[faulty] = Late(done, point="process", position=3)
    with pytest.raises(InjectedError):
        clean_file(source, target, WorkerPool(processors), HALF)
    assert not target.exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]
    messages = []
    clean_file(source, target, WorkerPool([Averaging()]), HALF, on_message=messages.append)
    assert "going on behind" in messages[0]
    assert target.read_bytes() == expected.read_bytes()


def test_an_interrupt_stops_all_workers_and_the_next_run_goes_on(clip, tmp_path):
    source, target, expected = clip(SPEC), tmp_path / "out.mp4", tmp_path / "expected.mp4"
    clean_file(source, expected, Averaging(), HALF)

    def interrupt(stats):
        if stats.frames_out == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_file(source, target, WorkerPool([Averaging(), Averaging()]), HALF, interrupt)
    assert not target.exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]
    clean_file(source, target, WorkerPool([Averaging(), Averaging()]), HALF)
    assert target.read_bytes() == expected.read_bytes()


def test_what_a_truncated_video_lacks_is_told_once(clip, tmp_path):
    raw = clip(CLIPS["matroska"]).read_bytes()
    (tmp_path / "in.mkv").write_bytes(raw[: len(raw) * 4 // 5])
    pool = WorkerPool([FakeProcessor() for _ in range(3)])
    stats = clean_file(tmp_path / "in.mkv", tmp_path / "out.mkv", pool, HALF).stats
    assert abs(60 - len(times(tmp_path / "out.mkv")) - stats.frames_missing) <= 1
