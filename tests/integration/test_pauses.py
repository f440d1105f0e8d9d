"""Pauses that a container can't tell are refused before any work; all others are kept."""

from dataclasses import replace
from fractions import Fraction

import pytest
from clips import Clip, opened, times
from fakes import FakeProcessor

from stream.errors import JobError
from stream.jobs import CleanOptions, clean_file
from stream.jobs.clean import prepare
from stream.jobs.excerpt import Excerpt

HOUR = 90_000 * 3600
JUMP = Clip(
    *(".mkv", "libx264", 64, 48),
    frames=40,
    time_base=Fraction(1, 1000),
    gaps=(*[40] * 19, 30 * 24 * 3600 * 1000, *[40] * 20),
)


def test_a_jump_over_hours_that_mp4_cannot_tell_is_refused_before_any_work(clip, tmp_path):
    source = clip(JUMP)
    refusal = (
        r"jumps from 0:00.76 to 720:00:00.76, and mp4 takes pauses of 596:31:23 at most; "
        r"name the output \.mkv"
    )
    with pytest.raises(JobError, match=refusal):
        clean_file(source, tmp_path / "out.mp4", FakeProcessor(point="start"))
    clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert times(tmp_path / "out.mkv") == times(source)


def test_what_is_before_and_behind_a_jump_is_cleaned(clip, tmp_path):
    for number, excerpt in enumerate((Excerpt(end=Fraction(9)), Excerpt(Fraction(9)))):
        target = tmp_path / f"{number}.mp4"
        clean_file(clip(JUMP), target, FakeProcessor(), CleanOptions(excerpt=excerpt))
        assert len(times(target)) == 20


def test_a_last_frame_that_lasts_too_long_is_refused_too(clip, tmp_path):
    spec = Clip(".mkv", "ffv1", 64, 48, frames=2, time_base=Fraction(1, 1000))
    spec = replace(spec, gaps=(40, 30 * 24 * 3600 * 1000))
    with pytest.raises(JobError, match=r"jumps from 0:00.04 to 720:00:00.04"):
        clean_file(clip(spec), tmp_path / "out.mp4", FakeProcessor(point="start"))
    clean_file(clip(spec), tmp_path / "out.mkv", FakeProcessor())
    assert times(tmp_path / "out.mkv") == times(clip(spec))


def test_reordered_frames_are_no_pauses(clip, tmp_path):
    """In the order of decoding the second frame of these lies 20 minutes behind the first."""
    options = (("preset", "ultrafast"), ("bf", "3"), ("b-adapt", "0"))
    slow = {"time_base": Fraction(1, 100), "options": options}
    near, far = (
        Clip(".mp4", "libx264", 64, 48, frames=12, gaps=(100 * s,), **slow) for s in (400, 700)
    )
    clean_file(clip(near), tmp_path / "out.gif", FakeProcessor())
    assert times(tmp_path / "out.gif") == times(clip(near))
    with pytest.raises(JobError, match=r"jumps from 0:00 to 11:40, and gif takes .* 10:55 at most"):
        clean_file(clip(far), tmp_path / "far.gif", FakeProcessor())


@pytest.mark.parametrize(("minutes", "reordered"), [(40, True), (60, False)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_frames_around_a_long_pause_are_decoded_as_they_are_shown(
    suffix, minutes, reordered, clip, tmp_path
):
    """FFmpeg 5.1 forgets the order of all where one frame is 2^28 units later than decoded."""
    gaps = (*[3600] * 29, minutes * 60 * 90_000)
    spec = Clip(".ts", "libx264", 64, 48, frames=60, time_base=Fraction(1, 90_000), gaps=gaps)
    source, target = clip(spec), tmp_path / f"out{suffix}"
    clean_file(source, target, FakeProcessor())
    assert times(target) == times(source)
    with opened(target) as film:
        order = [made.pts for made in film.demux(video=0) if made.size]
    assert (order != sorted(order)) is reordered


def test_a_segment_spans_no_more_than_its_container_can_tell(clip, tmp_path):
    """A frame every ten minutes by day, none at night: 100 of them would span 16 hours."""
    gaps = (*[HOUR // 6] * 30, 14 * HOUR)
    spec = Clip(".mkv", "ffv1", 64, 48, frames=40, time_base=Fraction(1, 90000), gaps=gaps)
    source, target = clip(spec), tmp_path / "out.mkv"
    clean_file(source, target, FakeProcessor())
    assert times(target) == times(source)
    ready = prepare(source, target, CleanOptions(segment_s=Fraction(10**7)), "")
    assert ready.plan.span <= (1 << 31) - 2
    ready.close()
