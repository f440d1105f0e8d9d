"""A video in several segments: the same pictures at the same times, and no seam to be seen."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip, damage, packets, times
from fakes import Averaging, FakeProcessor

from stream.capture.file import FileSource
from stream.errors import JobError
from stream.jobs import CleanOptions, Excerpt, clean, clean_file
from stream.jobs.plan import BURN_IN, Plan, make_plan
from stream.jobs.reader import Mark, Reader
from stream.jobs.reel import in_order, reorder_depth
from stream.output.encoder import EncoderOptions
from stream.output.encoding import Encoding

FAST = EncoderOptions(preset="ultrafast")
HALF = CleanOptions(FAST, segment_s=Fraction(1, 2))
GOP = (("preset", "ultrafast"), ("g", "10"), ("bf", "2"), ("b-pyramid", "none"))
OPEN = (*GOP, ("x264-params", "open-gop=1:scenecut=0"))
REFRESH = (("preset", "ultrafast"), ("intra-refresh", "1"), ("g", "12"))
MILLI = Fraction(1, 1000)


def small(suffix=".mp4", codec="libx264", **changes):
    return Clip(suffix, codec, **{"width": 64, "height": 48, "frames": 40, **changes})


CLIPS = {
    "constant rate": small(),
    "variable rate": small(gaps=(512, 300, 1111)),
    "variable rate, B-frames": small(gaps=(512, 200, 900, 3000), options=GOP),
    "open GOP": small(options=OPEN),
    "open GOP, matroska": small(".mkv", time_base=MILLI, gaps=(40, 33), options=OPEN),
    "intra refresh": small(options=REFRESH),
    "late start": small(start=64000, audio="aac"),
    "transport stream": small(
        ".ts", time_base=Fraction(1, 90000), gaps=(3600,), start=90000, options=GOP
    ),
    "long pauses": small(frames=20, gaps=(512, 512, 512, 30000), options=GOP),
    "coarse time": small(time_base=Fraction(1, 30), gaps=(1, 1, 1, 5), options=GOP),
    "rare pictures": small(frames=4, gaps=(12800,)),
    "29.97": small(time_base=Fraction(1001, 30000), gaps=(1,)),
    "ten bit": small(".mkv", "ffv1", frames=30, pixel_format="yuv422p10le", options=()),
}
# Pictures without pts, hidden by an edit list, or in groups that are open and deep.
ODD = {
    "edit list": small(start=-5 * 512, options=GOP),
    "avi": small(".avi", "mpeg4", time_base=Fraction(1, 25), gaps=(1,), options=GOP[1:3]),
    "hevc": small(
        *(".mkv", "libx265"),
        width=64,
        height=64,
        time_base=MILLI,
        gaps=(40,),
        options=(
            ("preset", "ultrafast"),
            ("x265-params", "log-level=none:keyint=12:open-gop=1:bframes=3"),
        ),
    ),
}


def luma(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="gray") for frame in container.decode(video=0)])


@pytest.mark.parametrize("spec", CLIPS.values(), ids=CLIPS)
def test_segments_keep_every_picture_and_its_time(spec, clip, tmp_path):
    source, target = clip(spec), tmp_path / f"out{spec.suffix}"
    processor = FakeProcessor(lookahead=2)
    options = CleanOptions(
        FAST if spec.codec == "libx264" else EncoderOptions(), segment_s=Fraction(1, 2)
    )
    result = clean_file(source, target, processor, options)
    assert processor.calls.count("start") > 2
    assert times(target) == times(source)
    assert result.stats.frames_in == result.stats.frames_out == spec.frames
    assert result.warnings == ()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    with av.open(str(target)) as container:
        dts = [packet.dts for packet in container.demux(video=0) if packet.size]
        assert all(one < other for one, other in itertools.pairwise(dts))
    if spec.audio:
        assert packets(target, "audio") == packets(source, "audio")
    if spec.codec == "ffv1":  # lossless: nothing is mixed up
        np.testing.assert_array_equal(luma(target), luma(source))
    else:
        assert np.abs(luma(target).astype(int) - luma(source)).mean() < 3


def test_frames_count_once_in_progress_and_report(clip, tmp_path):
    seen = []

    def progress(stats):
        seen.append((stats.frames_out, stats.frames_expected))
        assert stats.duration_s > 0

    result = clean_file(clip(small(frames=60)), tmp_path / "o.mp4", FakeProcessor(), HALF, progress)
    assert seen == [(count, 60) for count in range(1, 61)]
    report = result.stats.report()
    assert report["frames_in"] == report["frames_out"] == 60
    assert report["stages"]["inference"]["busy_s"] >= 0
    assert report["latency_ms"]["p50"] > 0


def test_no_seam_is_seen_where_the_state_fades(clip, tmp_path):
    """Six tenths to the eighth power is 0.017: less than a code value of what a state holds."""
    source = clip(small(".mkv", "ffv1", options=()))
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    clean_file(source, whole, Averaging(), CleanOptions(segment_s=Fraction(60)))
    clean_file(source, parts, Averaging(), CleanOptions(segment_s=Fraction(1, 2)))
    difference = np.abs(luma(whole).astype(int) - luma(parts))
    assert difference.max() > 0, "the segments do begin afresh"
    assert difference.mean(axis=(1, 2)).max() < 1


def test_two_runs_give_the_same_bytes(clip, tmp_path):
    source = clip(small(".mkv", time_base=MILLI, gaps=(40,), audio="flac", chapters=True))
    for name in ("one.mkv", "other.mkv"):
        clean_file(source, tmp_path / name, Averaging(), HALF)
    assert (tmp_path / "one.mkv").read_bytes() == (tmp_path / "other.mkv").read_bytes()


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("variable rate, B-frames", (23, 24, 31)),
        ("open GOP", (23, 24, 31)),
        ("open GOP", ()),
        ("intra refresh", ()),
        ("transport stream", ()),
        ("edit list", ()),
        ("avi", ()),
        ("hevc", ()),
    ],
)
def test_a_reader_goes_on_anywhere_with_the_very_same_pictures(name, broken, clip, tmp_path):
    spec = (CLIPS | ODD)[name]
    source = tmp_path / f"in{spec.suffix}"
    if broken:
        damage(clip(spec), source, *broken)
    else:
        source.write_bytes(clip(spec).read_bytes())
    reader = Reader(source, keep=4)
    whole = [(frame.pts, frame.planes.arrays[0].copy()) for frame in reader.until(2**62)]
    failures = reader.decode_failures
    reader.close()
    for count in (4, 5, 14, 23, 26, 32):
        first, second = Reader(source, keep=4), Reader(source, keep=4)
        for _ in first.until(whole[count][0]):
            pass
        before = second.decode_failures
        assert second.go_behind(first.marks(), count)
        assert second.marks() == first.marks()
        failed = first.decode_failures - second.decode_failures + before
        rest = list(second.until(2**62))
        assert [frame.pts for frame in rest] == [pts for pts, _ in whole[count:]]
        for frame, (_, luma) in zip(rest, whole[count:], strict=True):
            np.testing.assert_array_equal(frame.planes.arrays[0], luma)
        assert second.decode_failures + failed == failures
        first.close()
        second.close()


def test_a_file_that_cannot_be_searched_is_read_from_its_start(clip, monkeypatch):
    source = clip(small(frames=60))
    first, second = Reader(source, keep=4), Reader(source, keep=4)
    for _ in first.until(40 * 512):
        pass
    looked = []
    search = FileSource.search

    def astray(self, pts):
        looked.append(pts)
        search(self, pts + 100_000)

    monkeypatch.setattr(FileSource, "search", astray)
    assert second.go_behind(first.marks(), 40)
    assert looked == [36 * 512]
    assert [frame.index for frame in second.until(2**62)] == list(range(40, 60))
    first.close()
    second.close()


def test_pictures_that_are_not_there_are_not_found(clip):
    reader = Reader(clip(small()), keep=4)
    assert not reader.go_behind([Mark(512, 1, 48), Mark(1024, 2, 90)], 3)
    reader.close()


def test_damage_in_a_later_segment_is_repeated_and_counted_once(clip, tmp_path):
    spec = small(frames=60, options=GOP)
    damage(clip(spec), tmp_path / "in.mp4", 33, 34)
    result = clean_file(tmp_path / "in.mp4", tmp_path / "out.mp4", FakeProcessor(), HALF)
    assert times(tmp_path / "out.mp4") == times(clip(spec))
    assert result.stats.decode_failures == 2


@pytest.mark.parametrize("share", [0.6, 0.9])
def test_what_a_truncated_file_lacks_is_told_also_after_a_resume(share, clip, tmp_path):
    spec = small(".mkv", time_base=MILLI, gaps=(40,), frames=60, options=GOP)
    raw = clip(spec).read_bytes()
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    source.write_bytes(raw[: int(len(raw) * share)])

    def fail(stats):
        if stats.frames_out == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_file(source, target, FakeProcessor(), HALF, on_progress=fail)
    result = clean_file(source, target, FakeProcessor(), HALF)
    there = len(times(source))
    assert len(times(target)) == result.stats.frames_out == there < 60
    assert abs(result.stats.frames_missing - (60 - there)) <= 1
    assert "cut off" in result.warnings[-1]


def test_an_encoder_that_moves_times_is_found_out(clip, tmp_path, monkeypatch):
    from stream.jobs import segment

    monkeypatch.setattr(segment, "read_times", lambda path: [Fraction(0)])
    with pytest.raises(JobError, match="changed the times"):
        clean_file(clip(Clip()), tmp_path / "out.mp4", FakeProcessor(), HALF)
    assert not list(tmp_path.iterdir())


def test_spans_without_pictures_have_no_segment(clip, tmp_path, monkeypatch):
    names = []
    join = clean.join

    def spy(segments, *args, **kwargs):
        names.extend(path.name for path in segments)
        return join(segments, *args, **kwargs)

    monkeypatch.setattr(clean, "join", spy)
    spec = Clip(frames=4, gaps=(12800, 12800, 128000))
    clean_file(clip(spec), tmp_path / "out.mp4", FakeProcessor(), HALF)
    assert names == ["000000.mp4", "000002.mp4", "000004.mp4", "000024.mp4"]
    assert times(tmp_path / "out.mp4") == times(clip(spec))


def test_a_plan_is_arithmetic(clip):
    source = FileSource(clip(Clip(start=1000)))
    source.close()
    plan = make_plan(source.info, Encoding("libx264", "yuv420p", {}), Fraction(1))
    assert (plan.format_name, plan.span, plan.burn_in) == ("mp4", 12800, BURN_IN)
    for pts, index in ((1000, 0), (13799, 0), (13800, 1), (0, 0), (1000 + 12800 * 7, 7)):
        assert plan.index_of(pts) == index
        assert pts < plan.end_of(index)
    assert plan.file_name(7) == "000007.mp4"
    with pytest.raises(ValueError, match="burn-in"):
        Plan(source.info, plan.encoding, "mp4", span=1, burn_in=0)


@pytest.mark.parametrize(
    ("pts", "own", "dts"),
    [
        ([0, 40, 80], [0, 40, 80], [0, 40, 80]),
        ([0, 120, 40, 80, 160], [-40, 0, 40, 80, 120], [-40, 0, 40, 80, 120]),
        # the second segment's own dts begin before the first one's end
        ([0, 1, 100, 2, 50, 150], [0, 1, -98, -48, 50, 100], [-1, 0, 1, 2, 50, 149]),
        ([0, 2, 1], [None] * 3, [-1, 0, 1]),
    ],
)
def test_decode_times_are_given_anew(pts, own, dts):
    made = []
    for time, early in zip(pts, own, strict=True):
        packet = av.Packet(b"x")
        packet.pts, packet.dts, packet.time_base = time, early, MILLI
        made.append(packet)
    depth = reorder_depth([Fraction(time) for time in pts])
    end = max(pts) + 25
    assert [packet.dts for packet in in_order(made, depth, end * MILLI)] == dts
    assert all(packet.dts <= packet.pts for packet in made)
    behind = dict(itertools.pairwise([*sorted(pts), end]))
    assert [packet.pts + packet.duration for packet in made[:-1]] == [behind[t] for t in pts[:-1]]
    assert max(packet.pts + packet.duration for packet in made) == end


@pytest.mark.parametrize("gaps", [(512,) * 39 + (12800,), (512, 300, 1111, 2000)])
@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mp4", "libx265"),
        (".mp4", "vp9"),
        (".mp4", "av1"),
        (".mov", "prores"),
    ],
)
def test_the_last_picture_lasts_as_long_as_it_did(suffix, codec, gaps, clip, tmp_path):
    """Encoders that reorder pictures shuffle their durations, and VP9's and AV1's forget them."""
    layout = "yuv422p10le" if codec == "prores" else "yuv420p"
    spec = small(gaps=gaps, options=(("bf", "0"), ("preset", "ultrafast")), pixel_format=layout)
    source, target = clip(spec), tmp_path / f"out{suffix}"
    options = EncoderOptions(codec=codec, preset="medium" if codec.startswith("libx26") else None)
    clean_file(source, target, FakeProcessor(), CleanOptions(options, segment_s=Fraction(1, 2)))
    assert length(target) == length(source)
    assert times(target) == times(source)
    part = tmp_path / f"part{suffix}"
    excerpt = Excerpt(None, times(source)[20] + Fraction(1, 1000))
    clean_file(source, part, FakeProcessor(), CleanOptions(options, excerpt=excerpt))
    assert abs(length(part) - times(source)[20] - Fraction(1, 1000)) < Fraction(1, 5000)


def length(path):
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return video.duration * video.time_base
