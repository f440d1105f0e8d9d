"""Whole jobs whose targets are links or have long names; one that is resumed finds its work."""

from fractions import Fraction

import pytest
from clips import Clip, times
from fakes import Averaging, FakeProcessor, InjectedError

from stream.errors import JobError, SinkError
from stream.jobs import CleanOptions, Task, clean_all, clean_file
from stream.output.encoder import EncoderOptions

FAST = EncoderOptions(preset="ultrafast")
QUICK = CleanOptions(FAST, segment_s=Fraction(1, 2))
LONG = ["n" * 243, "n" * 247, "n" * 251, "ä" * 125]


@pytest.mark.parametrize("stem", LONG)
def test_a_job_with_a_long_name_is_done_and_resumed(stem, clip, tmp_path):
    source, target = clip(Clip(frames=40)), tmp_path / f"{stem}.mkv"
    with pytest.raises(InjectedError):
        clean_file(source, target, Averaging(point="process", position=30), QUICK)
    told = []
    clean_file(source, target, Averaging(), QUICK, on_message=told.append)
    assert "going on behind" in told[0]
    assert times(target) == times(source)
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_that_is_too_long_is_refused_before_any_work(clip, tmp_path):
    with pytest.raises(SinkError, match="File name too long"):
        clean_file(clip(Clip()), tmp_path / f"{'n' * 252}.mkv", FakeProcessor(point="start"), QUICK)
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_too_long_does_not_stop_the_other_videos(clip, tmp_path):
    names = ["n" * 252 + ".mkv", "fine.mkv"]
    tasks = [Task(clip(Clip()), tmp_path / name) for name in names]
    outcomes = list(
        clean_all(
            tasks,
            lambda task: clean_file(task.source, task.target, FakeProcessor(), QUICK),
            overwrite=False,
        )
    )
    assert [outcome.word for outcome in outcomes] == ["failed", "done"]
    assert "File name too long" in str(outcomes[0].error)


def test_a_job_writes_the_target_of_a_link(clip, tmp_path):
    """Its container is the one that the link's own name says."""
    source, far, link = clip(Clip(frames=40)), tmp_path / "far", tmp_path / "out.mp4"
    far.mkdir()
    (far / "real").write_text("before")
    link.symlink_to(far / "real")
    options = CleanOptions(FAST, overwrite=True, segment_s=Fraction(1, 2))
    with pytest.raises(InjectedError):
        clean_file(source, link, Averaging(point="process", position=30), options)
    assert (far / "real").read_text() == "before"
    told = []
    clean_file(source, link, Averaging(), options, on_message=told.append)
    assert "going on behind" in told[0]
    assert link.is_symlink()
    assert times(far / "real") == times(source)
    assert [path.name for path in far.iterdir()] == ["real"]


def test_a_link_to_the_input_is_the_input(clip, tmp_path):
    link = tmp_path / "out.mp4"
    link.symlink_to(clip(Clip()))
    with pytest.raises(JobError, match="is the input itself"):
        clean_file(clip(Clip()), link, FakeProcessor(), CleanOptions(FAST, overwrite=True))


def test_still_frames_write_the_targets_of_links(clip, tmp_path):
    real = tmp_path / "real.png"
    real.write_text("before")
    (tmp_path / "out_03.png").symlink_to(real)
    clean_file(
        clip(Clip()), tmp_path / "out_%02d.png", FakeProcessor(), CleanOptions(overwrite=True)
    )
    assert (tmp_path / "out_03.png").is_symlink()
    assert real.read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.glob("out_*"))) == 24
