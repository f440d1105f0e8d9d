"""What a dry run says, against what a run does."""

from fractions import Fraction

import pytest
from clips import Clip
from fakes import FakeProcessor, InjectedError

from stream.errors import UsageError
from stream.jobs import CleanOptions, Excerpt, View, clean_file, forecast
from stream.output.encoder import EncoderOptions

FAST = EncoderOptions(preset="ultrafast")
HALF = CleanOptions(FAST, segment_s=Fraction(1, 2))
PLAIN = Clip(frames=100, audio="aac", chapters=True)
RICH = Clip(
    *(".mkv", "libx264"),
    frames=100,
    time_base=Fraction(1, 1000),
    gaps=(40,),
    audio="flac",
    subtitle="subrip",
)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_it_says_what_a_run_does(suffix, clip, tmp_path):
    source, target = clip(RICH), tmp_path / f"out{suffix}"
    found = forecast(source, target, FakeProcessor(), HALF)
    assert not list(tmp_path.iterdir())
    result = clean_file(source, target, FakeProcessor(), HALF)
    assert found.warnings == result.warnings
    assert bool(found.warnings) == (suffix == ".mp4")
    assert found.copied[0] == "audio (flac, fin)"
    assert found.plan.info.frames_estimate == pytest.approx(100, abs=1)
    assert found.segments == 8
    assert found.fps > 0
    assert found.time_s == pytest.approx((100 + 8 * 8) / found.fps, rel=0.02)
    assert found.size == pytest.approx(target.stat().st_size, rel=0.5)


def test_a_part_beside_what_it_was(clip, tmp_path):
    options = CleanOptions(
        FAST, segment_s=Fraction(1), excerpt=Excerpt(Fraction(1), Fraction(3)), view=View.SIDE
    )
    found = forecast(clip(PLAIN), tmp_path / "o.mp4", FakeProcessor(), options)
    assert (found.plan.info.frames_estimate, found.segments) == (50, 2)
    assert (found.plan.info.width, found.plan.output.width) == (160, 320)


def test_finished_work_of_the_same_job_counts(clip, tmp_path):
    source, target = clip(PLAIN), tmp_path / "o.mp4"
    with pytest.raises(InjectedError):
        clean_file(source, target, FakeProcessor(point="process", position=60), HALF)
    kept = sorted(tmp_path.rglob("*"))
    fresh = forecast(source, target, FakeProcessor(), HALF, model="another")
    found = forecast(source, target, FakeProcessor(), HALF)
    assert sorted(tmp_path.rglob("*")) == kept
    assert fresh.frames_finished == 0
    assert found.frames_finished in range(25, 60)
    assert found.time_s * found.fps < fresh.time_s * fresh.fps


def test_a_middle_without_a_picture_is_no_obstacle(clip, tmp_path):
    spec = Clip(frames=20, gaps=(*9 * [512], 512 * 500))
    found = forecast(clip(spec), tmp_path / "o.mp4", FakeProcessor(), HALF)
    assert found.frames_tried > 0


def test_what_would_fail_fails(clip, tmp_path):
    with pytest.raises(UsageError, match="no container is known"):
        forecast(clip(PLAIN), tmp_path / "o.xyz", FakeProcessor(), HALF)
