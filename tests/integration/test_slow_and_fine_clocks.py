"""Clocks finer than an encoder's, and frames that come a minute apart."""

from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import pytest
from clips import Clip, opened, times
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.capture.pace import mean_step
from stream.errors import JobError
from stream.jobs import CleanOptions, clean_file
from stream.jobs.clean import prepare
from stream.output.encoder import EncoderOptions


@pytest.mark.parametrize("suffix", [".webm", ".mkv"])
def test_vp8_with_another_clock_than_matroskas_is_cleaned(clip, tmp_path, suffix):
    """Matroska alone holds VP8 in segments, and counts in 1/1000 s."""
    spec = Clip(".ivf", "libvpx", frames=12, time_base=Fraction(1, 30), gaps=(1,), options=())
    clean_file(clip(spec), tmp_path / f"out{suffix}", FakeProcessor())
    expected = [round(Fraction(1000 * index, 30)) for index in range(12)]
    assert [1000 * time for time in times(tmp_path / f"out{suffix}")] == expected


def test_a_clock_finer_than_anything_needs_is_counted_coarser(clip, tmp_path):
    spec = Clip(frames=12, time_base=Fraction(1, 10_000_000), gaps=(400_001,))
    ready = prepare(clip(spec), tmp_path / "out.mp4", CleanOptions(), "")
    assert ready.plan.output.time_base == Fraction(1, 1_000_000)
    ready.close()
    clean_file(clip(spec), tmp_path / "out.mp4", FakeProcessor())
    apart = zip(times(clip(spec)), times(tmp_path / "out.mp4"), strict=True)
    assert max(abs(one - other) for one, other in apart) <= Fraction(1, 1_000_000)


def test_a_segment_of_slow_video_holds_a_hundred_frames(clip, tmp_path):
    unit = Fraction(1, 100)
    spec = Clip(width=32, height=32, frames=100, time_base=unit, gaps=(6000,))
    for slow in (spec, replace(spec, suffix=".mkv")):
        ready = prepare(clip(slow), tmp_path / "out.mkv", CleanOptions(), "")
        assert ready.plan.span * ready.plan.info.time_base >= 100 * 60
        ready.close()


def test_reordered_frames_that_are_minutes_apart_begin_no_new_part(clip, tmp_path):
    """FFmpeg guesses their decode times in Matroska, which then go back by minutes."""
    spec = Clip(
        *(".mkv", "libx264", 32, 32),
        frames=40,
        time_base=Fraction(1, 1000),
        gaps=(60_000,),
        options=(("preset", "ultrafast"), ("bf", "3"), ("b-adapt", "0")),
    )
    source, target = clip(spec), tmp_path / "out.mkv"
    assert clean_file(source, target, FakeProcessor()).warnings == ()
    assert times(target) == times(source)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_frames_that_are_hours_apart_are_decoded_as_they_are_shown(
    suffix, hours, codec, clip, tmp_path
):
    """MP4 counts how much later, in 32 bits, of which FFmpeg 5.1 believes 28."""
    spec = Clip(".mkv", "libx264", frames=12, time_base=Fraction(1, 1000))
    source, target = clip(replace(spec, gaps=(hours * 3_600_000,))), tmp_path / f"out{suffix}"
    clean_file(source, target, FakeProcessor(), CleanOptions(EncoderOptions(codec)))
    assert times(target) == times(source)
    with opened(target) as film:
        packets = [made for made in film.demux(video=0) if made.size]
    assert [made.pts for made in packets] == sorted(made.pts for made in packets)


@pytest.mark.parametrize("name", ["out.mkv", "out.gif"])
def test_frames_that_come_faster_than_the_container_counts_are_refused_before_any_work(
    clip, tmp_path, name
):
    spec = Clip(frames=12, time_base=Fraction(1, 12000), gaps=(6,))
    with pytest.raises(JobError, match=r"2000 frames a second.* counts in 1/1000? s"):
        clean_file(clip(spec), tmp_path / name, FakeProcessor())
    clean_file(clip(spec), tmp_path / "out.mp4", FakeProcessor())
    assert times(tmp_path / "out.mp4") == times(clip(spec))


def test_the_pace_of_frames_is_measured_where_a_file_declares_another(clip):
    slow = {"frames": 30, "time_base": Fraction(1, 100), "gaps": (6000,)}
    for spec in (Clip(".mkv", **slow), Clip(".ts", **slow), Clip(".mp4", **slow)):
        with closing(FileSource(clip(spec))) as source:
            assert source.info.frame_rate == pytest.approx(Fraction(1, 60), rel=0.05)


def test_a_declared_rate_is_believed_where_frames_come_about_as_fast(clip):
    """A rate that is measured in a clock of 1/1000 s is not exact."""
    spec = Clip(".mkv", frames=30, time_base=Fraction(1, 1000), gaps=(40, 42, 38, 44, 36))
    with closing(FileSource(clip(spec))) as source:
        assert source.info.frame_rate == 25


def test_one_pause_does_not_change_the_mean_of_steps():
    paused = [*range(0, 50 * 40, 40), *range(900_000, 900_000 + 50 * 40, 40)]
    assert mean_step(paused) == 40
    assert mean_step([0, 1, 60, 61, 120, 121]) == Fraction(121, 5)
    assert mean_step([5, 5]) is None
    assert mean_step([5]) is None


def test_a_rate_that_no_ratio_of_32_bits_tells_is_no_error(clip, tmp_path):
    """Measured between times in floating point it had numbers of 50 bits."""
    source, target = clip(Clip(frames=20, gaps=(*[20_480] * 19, 512))), tmp_path / "out.mkv"
    clean_file(source, target, FakeProcessor())
    apart = zip(times(source), times(target), strict=True)
    assert max(abs(one - other) for one, other in apart) <= Fraction(1, 1000)
