"""What edit lists cut away stays away, in every container."""

from fractions import Fraction

import pytest
from clips import SAMPLE_RATE, Clip, packets, times
from edit_lists import edited
from fakes import FakeProcessor

from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions

QUICK = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 2))
SPEC = Clip(
    *(".mp4", "libx264", 64, 48),
    frames=75,
    audio="aac",
    options=(("preset", "ultrafast"), ("g", "25"), ("bf", "2")),
)
FRAME = Fraction(1024, SAMPLE_RATE)  # seconds of one packet of AAC


def sound(path):
    """When it begins, and how long it plays."""
    found = [time for time, _ in packets(path, "audio") if time >= 0]
    return float(found[0]), float(len(found) * FRAME)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
def test_what_was_cut_out_of_the_middle_does_not_play(clip, tmp_path, suffix):
    source = edited(clip(SPEC), tmp_path / "in.mp4", (0, 1), (2, 3))
    target = tmp_path / f"out{suffix}"
    clean_file(source, target, FakeProcessor(), QUICK)
    shown = times(target)
    assert len(shown) == 50
    begins, lasts = sound(target)
    assert lasts == pytest.approx(2, abs=0.06)
    assert begins - float(shown[0]) == pytest.approx(0, abs=0.025)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".ts"])
def test_what_was_cut_off_in_front_does_not_come_back(clip, tmp_path, suffix):
    spec = Clip(".mp4", "libvpx-vp9", 64, 48, frames=75, audio="libopus", options=())
    spec, lead = (spec, 0) if suffix == ".webm" else (SPEC, 1024)
    source = edited(clip(spec), tmp_path / "in.mp4", (1, 3), lead=lead)
    target = tmp_path / f"out{suffix}"
    clean_file(source, target, FakeProcessor(), CleanOptions())
    shown = times(target)
    assert len(shown) == 50
    begins, lasts = sound(target)
    if suffix != ".webm":  # whose packets last as long as Opus likes
        assert lasts == pytest.approx(1.95, abs=0.05)
    assert begins - float(shown[0]) == pytest.approx(0, abs=0.025)
    if suffix != ".ts":  # which begins somewhat later, so that decoding does not begin before 0
        assert shown[0] == 0


def test_mp4_keeps_what_the_decoder_of_sound_begins_with(clip, tmp_path):
    """Hidden by its time before 0, as in the source."""
    clean_file(clip(SPEC), tmp_path / "out.mp4", FakeProcessor(), QUICK)
    assert packets(tmp_path / "out.mp4", "audio") == packets(clip(SPEC), "audio")
    assert packets(clip(SPEC), "audio")[0][0] < 0


def test_matroska_begins_with_what_is_played(clip, tmp_path):
    clean_file(clip(SPEC), tmp_path / "out.mkv", FakeProcessor(), QUICK)
    assert times(tmp_path / "out.mkv")[0] == 0
    played = [raw for time, raw in packets(clip(SPEC), "audio") if time >= 0]
    assert [raw for _, raw in packets(tmp_path / "out.mkv", "audio")] == played
