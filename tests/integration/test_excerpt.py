"""A part of a video: the very pictures, packets and chapters of it, moved together."""

from fractions import Fraction

import numpy as np
import pytest
from clips import Clip, opened, packets, times
from fakes import Averaging, FakeProcessor, InjectedError

from stream.capture.file import FileSource
from stream.errors import JobError, UsageError
from stream.jobs import CleanOptions, Excerpt, clean_file
from stream.jobs.excerpt import middle_of
from stream.jobs.reader import Reader
from stream.output.encoder import EncoderOptions

MILLI = Fraction(1, 1000)
GOP = (("preset", "ultrafast"), ("g", "10"), ("bf", "2"))
LONG = {"width": 64, "height": 48, "frames": 100}
FFV1 = Clip(".mkv", "ffv1", **LONG, time_base=MILLI, gaps=(40, 33), audio="flac", options=())
CLIPS = {
    "matroska": FFV1,
    "mp4 with sound before 0": Clip(**LONG, audio="aac", options=GOP, gaps=(512, 300)),
    "video after sound": Clip(**LONG, start=6400, audio="aac", options=GOP),
    "transport stream": Clip(
        ".ts", **LONG, time_base=Fraction(1, 90000), gaps=(3600,), start=90000, audio="aac"
    ),
    "intra refresh": Clip(
        **LONG, options=(("preset", "ultrafast"), ("intra-refresh", "1"), ("g", "12"))
    ),
    "avi": Clip(".avi", "mpeg4", **LONG, time_base=Fraction(1, 25), gaps=(1,), options=GOP[1:]),
}


def cut(source, target, start, end, processor=None, segment_s="1/2", **kwargs):
    excerpt = Excerpt(*(None if side is None else Fraction(side) for side in (start, end)))
    preset = None if "ffv1" in str(kwargs.pop("codec", "")) else "ultrafast"
    options = CleanOptions(
        EncoderOptions(preset=preset), segment_s=Fraction(segment_s), excerpt=excerpt
    )
    return clean_file(source, target, processor or FakeProcessor(), options, **kwargs)


def zero_of(path):
    with opened(path) as container:
        return Fraction(container.start_time, 1_000_000)


@pytest.mark.parametrize("spec", CLIPS.values(), ids=CLIPS)
def test_a_part_has_its_pictures_and_sound_in_step(spec, clip, tmp_path):
    source, target = (
        clip(spec),
        tmp_path / ("out.mkv" if spec.suffix == ".avi" else f"out{spec.suffix}"),
    )
    zero = zero_of(source)
    start, end = zero + Fraction("1.31"), zero + Fraction("2.7")
    result = cut(source, target, "1.31", "2.7", codec=spec.codec)
    wanted = [time for time in times(source) if start <= time < end]
    origin = wanted[0]
    found = times(target)
    base = found[0]  # of MPEG-TS, whose muxer begins later
    assert base == 0 or spec.suffix == ".ts"
    assert [time - base for time in found] == [time - origin for time in wanted]
    assert result.stats.frames_in == result.stats.frames_out == len(wanted)
    assert result.warnings == () or spec.suffix == ".avi"
    if spec.audio:
        sound = [(at - origin, raw) for at, raw in packets(source, "audio") if origin <= at < end]
        made = [(at - base, raw) for at, raw in packets(target, "audio")]
        assert [raw for _, raw in made] == [raw for _, raw in sound]
        assert max(abs(a - b) for (a, _), (b, _) in zip(made, sound, strict=True)) <= MILLI


def test_the_pixels_are_those_of_the_whole(clip, tmp_path):
    """And the state is warmed with what is before the part: no more than rounding differs."""
    source = clip(FFV1)
    cut(source, tmp_path / "whole.mkv", None, None, Averaging(), "60", codec="ffv1")
    cut(source, tmp_path / "part.mkv", "1.31", None, Averaging(), "60", codec="ffv1")
    whole, part = (pixels(tmp_path / name) for name in ("whole.mkv", "part.mkv"))
    assert 0 < len(part) < len(whole)
    difference = np.abs(whole[-len(part) :].astype(int) - part)
    assert difference.mean(axis=(1, 2)).max() < 1
    cut(source, tmp_path / "plain.mkv", "1.31", None, codec="ffv1")
    np.testing.assert_array_equal(pixels(tmp_path / "plain.mkv"), pixels(source)[-len(part) :])


def pixels(path):
    source = FileSource(path)
    try:
        return np.stack([frame.planes.arrays[0] for frame in source.frames()])
    finally:
        source.close()


def test_an_end_alone_moves_nothing(clip, tmp_path):
    source = clip(CLIPS["video after sound"])
    cut(source, tmp_path / "out.mp4", None, 2)
    assert times(tmp_path / "out.mp4") == [time for time in times(source) if time < 2]
    sound = [(at, raw) for at, raw in packets(source, "audio") if at < 2]
    assert packets(tmp_path / "out.mp4", "audio") == sound


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_subtitles_and_chapters_are_cut_and_the_cover_stays(suffix, clip, tmp_path):
    subtitle = {".mp4": "mov_text", ".mkv": "subrip"}[suffix]
    spec = Clip(suffix, subtitle=subtitle, chapters=True, cover=suffix == ".mp4", options=GOP)
    source, target = clip(spec), tmp_path / f"out{suffix}"
    cut(source, target, "0.2", "0.42")
    with opened(target) as container:
        stream = container.streams.subtitles[0]
        shown = [
            (p.pts * stream.time_base, p.duration * stream.time_base, bytes(p))
            for p in container.demux(stream)
            if p.size and bytes(p) != b"\0\0"
        ]
        chapters = [
            (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
            for c in container.chapters()
        ]
    if spec.cover:
        with opened(source) as one, opened(target) as other:
            assert bytes(next(one.demux(video=1))) == bytes(next(other.demux(video=1)))
    assert [text.strip(b"\0").lstrip(bytes(range(32))) for *_, text in shown] == [
        b"first",
        b"second",
    ]
    # 0.1 to 0.25 and 0.3 to 0.45 of the source, of which 0.2 to 0.42 is kept
    assert [(float(at), float(lasts)) for at, lasts, _ in shown] == [(0, 0.05), (0.1, 0.12)]
    assert [(float(a), round(float(b), 3), t) for a, b, t in chapters] == [
        (0, 0.2, "A"),
        (0.2, 0.22, "B"),
    ]


def test_a_part_goes_on_with_the_same_bytes_and_only_itself(clip, tmp_path):
    source, target, whole = clip(FFV1), tmp_path / "out.mkv", tmp_path / "whole.mkv"
    cut(source, whole, "1", "3", Averaging(), codec="ffv1")
    with pytest.raises(InjectedError):
        cut(source, target, "1", "3", Averaging(point="process", position=40), codec="ffv1")
    assert not target.exists()
    messages = []
    cut(source, target, "1", "3", Averaging(), codec="ffv1", on_message=messages.append)
    assert "going on behind" in messages[0]
    assert target.read_bytes() == whole.read_bytes()

    target.unlink()
    with pytest.raises(InjectedError):
        cut(source, target, "1", "3", Averaging(point="process", position=40), codec="ffv1")
    messages.clear()
    cut(source, target, "1", "2.5", Averaging(), codec="ffv1", on_message=messages.append)
    assert messages == [f"{target}: unfinished work of another options was removed"]


@pytest.mark.parametrize("name", ["intra refresh", "mp4 with sound before 0", "avi"])
def test_a_search_ends_with_the_very_pictures_of_a_reading_from_the_start(name, clip, monkeypatch):
    source, looked = clip(CLIPS[name]), []
    plain = Reader(source, keep=4)
    go = "pass_to" if source.suffix == ".mkv" else "search"
    honest = getattr(FileSource, go)
    monkeypatch.setattr(FileSource, go, lambda s, pts: (looked.append(pts), honest(s, pts))[1])
    monkeypatch.setattr("stream.jobs.reader._DISTANCES_S", (0.2, 0.8, 1.5))
    for _ in plain.until(frame_at(source, 80)):
        pass
    window = Excerpt(start=times(source)[80] - zero_of(source)).window(source)
    found = Reader(source, 4, window)
    assert looked
    assert found.marks() == plain.marks()
    assert found.next_pts == plain.next_pts
    found.close()
    plain.close()


def frame_at(path, index):
    source = FileSource(path)
    try:
        return [frame.pts for frame in source.frames()][index]
    finally:
        source.close()


def test_nothing_to_show_is_one_clear_line(clip, tmp_path):
    with pytest.raises(JobError, match=r"shows nothing between 0:10 and 1:02:03.5$"):
        cut(clip(FFV1), tmp_path / "out.mkv", 10, "3723.5")
    with pytest.raises(UsageError, match=r"nothing between 0:05 and 0:04; name an end"):
        Excerpt(Fraction(5), Fraction(4))
    assert not list(tmp_path.iterdir())


def test_the_middle_of_a_file(clip):
    assert middle_of(clip(Clip()), Fraction(5)) == Excerpt()
    found = middle_of(clip(FFV1), Fraction(1))
    assert found.end - found.start == 1
    assert abs(found.start + found.end - times(clip(FFV1))[-1]) < Fraction(1, 5)
