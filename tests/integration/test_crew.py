"""Segments side by side: the same bytes as one after the other, however it ends."""

import threading
from fractions import Fraction

import pytest
from clips import Clip, times
from fakes import Averaging, FakeProcessor, InjectedError
from waiting import HANG_S

from stream.jobs import CleanOptions, Crew, clean_file
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


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("spec", CLIPS.values(), ids=CLIPS)
def test_the_outcome_is_that_of_one_after_the_other(spec, workers, clip, tmp_path):
    source = clip(spec)
    one, crew = tmp_path / f"one{spec.suffix}", tmp_path / f"crew{spec.suffix}"
    expected = clean_file(source, one, Averaging(), HALF).stats
    stats = clean_file(source, crew, Crew([Averaging() for _ in range(workers)]), HALF).stats
    assert crew.read_bytes() == one.read_bytes()
    assert (stats.frames_in, stats.frames_out) == (expected.frames_in, expected.frames_out)


def test_workers_work_at_the_same_time(clip, tmp_path):
    place = threading.Barrier(2, timeout=HANG_S)
    crew = Crew([Meeting(place), Meeting(place)])
    assert clean_file(clip(SPEC), tmp_path / "out.mp4", crew, HALF).stats.frames_out == 90
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]


def test_progress_counts_all_workers_and_never_goes_back(clip, tmp_path):
    seen = []
    crew = Crew([FakeProcessor(), FakeProcessor()])
    clean_file(clip(SPEC), tmp_path / "out.mp4", crew, HALF, seen.append)
    assert [stats.frames_out for stats in seen] == list(range(1, 91))
    assert all(stats.frames_expected == 90 for stats in seen)


@pytest.mark.parametrize("faulty", [0, 1])
def test_what_one_worker_fails_with_ends_all_and_costs_no_finished_segment(faulty, clip, tmp_path):
    source, target, expected = clip(SPEC), tmp_path / "out.mp4", tmp_path / "expected.mp4"
    clean_file(source, expected, Averaging(), HALF)
    processors = [Averaging(), Averaging()]
    processors[faulty] = Averaging(point="process", position=40)
    with pytest.raises(InjectedError):
        clean_file(source, target, Crew(processors), HALF)
    assert not target.exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]
    messages = []
    clean_file(source, target, Crew([Averaging()]), HALF, on_message=messages.append)
    assert "going on behind" in messages[0]
    assert target.read_bytes() == expected.read_bytes()


def test_an_interrupt_stops_all_workers_and_the_next_run_goes_on(clip, tmp_path):
    source, target, expected = clip(SPEC), tmp_path / "out.mp4", tmp_path / "expected.mp4"
    clean_file(source, expected, Averaging(), HALF)

    def interrupt(stats):
        if stats.frames_out == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_file(source, target, Crew([Averaging(), Averaging()]), HALF, interrupt)
    assert not target.exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("worker")]
    clean_file(source, target, Crew([Averaging(), Averaging()]), HALF)
    assert target.read_bytes() == expected.read_bytes()


def test_what_a_truncated_video_lacks_is_told_once(clip, tmp_path):
    raw = clip(CLIPS["matroska"]).read_bytes()
    (tmp_path / "in.mkv").write_bytes(raw[: len(raw) * 4 // 5])
    crew = Crew([FakeProcessor() for _ in range(3)])
    stats = clean_file(tmp_path / "in.mkv", tmp_path / "out.mkv", crew, HALF).stats
    assert abs(60 - len(times(tmp_path / "out.mkv")) - stats.frames_missing) <= 1
