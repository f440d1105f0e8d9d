"""Clocks finer than an encoder's, and frames that come a minute apart."""

from dataclasses import replace
from fractions import Fraction

import pytest
from clips import Clip, times
from fakes import FakeProcessor

from stream.jobs import CleanOptions, clean_file
from stream.jobs.clean import prepare


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
