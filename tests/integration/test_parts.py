"""Files whose clock begins anew and whose frames repeat: nothing is lost or taken for another."""

import itertools
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import av
import pytest
from clips import Clip, add_video, packets, picture, times
from fakes import Averaging, FakeProcessor, InjectedError

from stream.capture.file import FileSource
from stream.errors import JobError, OpenError
from stream.frame import Discontinuity
from stream.jobs import CleanOptions, WorkerPool, clean_file, worker_pool
from stream.jobs.excerpt import Excerpt, TimeRange
from stream.jobs.reader import Reader
from stream.output.encoder import EncoderOptions
from stream.output.priority import start_encoding

UNIT = Fraction(1, 90000)
QUICK = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 2))
SPEC = Clip(
    *(".ts", "libx264", 64, 48),
    frames=50,
    time_base=UNIT,
    gaps=(3600,),
    audio="aac",
    options=(("preset", "ultrafast"), ("g", "10"), ("bf", "2")),
)
LONG = replace(SPEC, frames=120, audio="")


@pytest.fixture
def joined(clip, tmp_path):
    """Recordings of two seconds one behind the other, as `cat` leaves them: all alike."""

    def make(count, spec=SPEC):
        source = tmp_path / f"joined{spec.suffix}"
        source.write_bytes(clip(spec).read_bytes() * count)
        return source

    return make


def gaps(path):
    return [float(later - now) for now, later in itertools.pairwise(times(path))]


@pytest.mark.parametrize("suffix", [".ts", ".mp4", ".mkv"])
def test_joined_recordings_follow_on_each_other(joined, tmp_path, suffix):
    source, target = joined(3), tmp_path / f"out{suffix}"
    result = clean_file(source, target, FakeProcessor(), QUICK)
    assert len(times(target)) == 150
    assert gaps(target) == pytest.approx([0.04] * 149, abs=1e-6)
    told = [warning for warning in result.warnings if "clock begins anew" in warning]
    assert len(told) == 2
    assert "0:02" in told[0]
    assert "0:04" in told[1]


@pytest.mark.parametrize("options", [(), (("g", "999"), ("bf", "0")), (("bf", "8"),)])
def test_short_recordings_in_matroska_follow_on_each_other(joined, tmp_path, options):
    """They are shorter than what reordering could explain, where nothing tells decode times."""
    spec = replace(SPEC, suffix=".mkv", time_base=Fraction(1, 1000), gaps=(40,), frames=15)
    source, target = joined(2, replace(spec, audio="", options=options)), tmp_path / "out.mkv"
    result = clean_file(source, target, FakeProcessor(), QUICK)
    assert gaps(target) == pytest.approx([0.04] * 29, abs=1e-6)
    assert len([text for text in result.warnings if "clock begins anew" in text]) == 1


@pytest.mark.parametrize(("suffix", "count"), [(".mp4", 2), (".mov", 3), (".mkv", 3)])
def test_recordings_behind_what_ffmpeg_reads_are_refused_before_any_work(
    joined, tmp_path, suffix, count
):
    source = joined(count, Clip(suffix, frames=4))
    with pytest.raises(OpenError, match=f"holds {count} recordings one behind the other"):
        clean_file(source, tmp_path / "out.mkv", FakeProcessor())


JOINED = {"flv": ("libx264", "yuv420p"), "wmv": ("wmv2", "yuv420p"), "apng": ("apng", "rgb24")}


@pytest.mark.parametrize("suffix", JOINED)
def test_what_ffmpeg_leaves_unread_behind_a_recording_is_no_success(suffix, clip, tmp_path):
    codec, layout = JOINED[suffix]
    unit = Fraction(1, 1000) if suffix in ("flv", "wmv") else Fraction(1, 25)
    spec = Clip(f".{suffix}", codec, 64, 48, layout, 10, unit, (int(1 / (25 * unit)),), options=())
    single = make_file(tmp_path / f"one.{suffix}", spec)
    assert clean_file(single, tmp_path / "one.mkv", FakeProcessor()).stats.frames_missing == 0
    source = tmp_path / f"three.{suffix}"
    source.write_bytes(3 * single.read_bytes())
    result = clean_file(source, tmp_path / "out.mkv", FakeProcessor())
    assert result.stats.frames_out + result.stats.frames_missing == pytest.approx(30, abs=5)
    assert any("frames missing from it" in warning for warning in result.warnings)


def make_file(path, spec):
    formats = {".wmv": "asf"}
    with av.open(str(path), "w", format=formats.get(spec.suffix, spec.suffix[1:])) as container:
        stream = add_video(container, spec)
        start_encoding(container)
        for index, time in enumerate(spec.pts):
            container.mux(stream.encode(picture(spec, index, time)))
        container.mux(stream.encode(None))
    return path


def test_sound_of_joined_recordings_moves_with_the_frames(joined, clip, tmp_path):
    single, target = packets(clip(SPEC), "audio"), tmp_path / "out.ts"
    clean_file(joined(2), target, FakeProcessor(), QUICK)
    sound = packets(target, "audio")
    assert [raw for _, raw in sound] == 2 * [raw for _, raw in single]
    pairs = zip(sound[len(single) :], single, strict=True)
    later = [time - before for (time, _), (before, _) in pairs]
    assert later[1:] == [pytest.approx(2, abs=1e-4)] * (len(single) - 1)


def test_avi_takes_joined_recordings_for_one_steady_video(joined, tmp_path):
    target = tmp_path / "out.avi"
    clean_file(joined(2), target, FakeProcessor(), QUICK)
    assert len(times(target)) == 100


def test_a_new_part_is_a_discontinuity(joined):
    with closing(FileSource(joined(2))) as source:
        told = [frame.discontinuity for frame in source.frames()]
    assert told[50] is Discontinuity.PTS_BACKWARDS
    assert [one for one in told[1:50] + told[51:] if one] == []


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
def test_every_frame_has_a_place_of_its_own(clip, joined, suffix):
    spec = Clip(*(suffix, "libx264", 64, 48), frames=30, options=SPEC.options)
    with closing(FileSource(joined(3) if suffix == ".ts" else clip(spec))) as source:
        places = [source.position for _ in source.frames()]
    assert len(set(places)) == len(places)
    assert min(places) > 0


@pytest.mark.parametrize("fatal", [80, 210, 340])
def test_a_job_goes_on_where_clock_and_frames_repeat(joined, tmp_path, fatal):
    source, once, twice = joined(3, LONG), tmp_path / "once.mkv", tmp_path / "twice.mkv"
    clean_file(source, once, Averaging(), QUICK)
    with pytest.raises(InjectedError):
        clean_file(source, twice, Averaging(point="process", position=fatal), QUICK)
    result = clean_file(source, twice, Averaging(), QUICK)
    assert result.stats.frames_out == 360
    assert twice.read_bytes() == once.read_bytes()


def test_workers_meet_no_frame_twice_where_clock_and_frames_repeat(joined, tmp_path):
    source, one, many = joined(3), tmp_path / "one.mkv", tmp_path / "many.mkv"
    clean_file(source, one, Averaging(), QUICK)
    clean_file(source, many, WorkerPool([Averaging(), Averaging()]), QUICK)
    assert many.read_bytes() == one.read_bytes()


@pytest.mark.parametrize("index", [1, 60, 119, 120, 200, 359])
def test_a_frame_is_found_again_where_clock_and_frames_repeat(joined, index):
    """As a run that is resumed finds it, and a worker of a cluster."""
    path = joined(3, LONG)
    with closing(Reader(path, 8)) as reader:
        pts = [frame.pts for frame in reader.until(1 << 60)]
    with closing(Reader(path, 8)) as first:
        list(first.until(pts[index]))
        marks = first.marks()
    with closing(Reader(path, 8)) as again:
        assert again.go_behind(marks, index)
        assert again.next_pts == pts[index]
        assert again.marks() == marks


@pytest.mark.parametrize("start", [1, 3, 5])
def test_a_part_begins_where_it_is_asked_for(joined, start):
    path = joined(3)
    with closing(Reader(path, 8)) as whole:
        pts = whole.info.start_pts + start * 90000
        list(whole.until(pts))
        with closing(Reader(path, 8, TimeRange(pts * UNIT))) as part:
            assert part.next_pts == whole.next_pts == pts
            assert part.marks() == whole.marks()


def test_sound_of_a_part_is_that_of_its_frames(joined, clip, tmp_path):
    single, target = packets(clip(SPEC), "audio"), tmp_path / "out.ts"
    excerpt = Excerpt(Fraction(3), Fraction(7, 2))
    clean_file(joined(3), target, FakeProcessor(), CleanOptions(QUICK.encoder, excerpt=excerpt))
    assert len(times(target)) in (12, 13)
    inside = [raw for _, raw in packets(target, "audio")]
    first = [raw for _, raw in single].index(inside[0])
    assert float(single[first][0] - single[0][0]) == pytest.approx(1, abs=0.05)


def forgetful(monkeypatch, after):
    """Let frames be lost behind segments, whatever it is that loses them."""
    honest = worker_pool.clean_segment

    def clean_segment(plan, reader, *rest, **options):
        made = honest(plan, reader, *rest, **options)
        segment, _ = made
        if segment.next_pts is not None and plan.index_of(segment.marks[-1].pts) in after:
            reader.pass_over(segment.next_pts + plan.span)
        return made

    monkeypatch.setattr(worker_pool, "clean_segment", clean_segment)


def test_frames_that_a_job_has_lost_are_looked_for_once_more(joined, tmp_path, monkeypatch):
    source, one, again = joined(2), tmp_path / "one.mkv", tmp_path / "again.mkv"
    clean_file(source, one, Averaging(), QUICK)
    forgetful(monkeypatch, after=[1])
    clean_file(source, again, Averaging(), QUICK)
    assert again.read_bytes() == one.read_bytes()


def test_a_job_that_lacks_frames_is_no_success(joined, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    forgetful(monkeypatch, after=range(99))
    with pytest.raises(JobError, match="frames"):
        clean_file(joined(2), target, FakeProcessor(), QUICK)
    assert not target.exists()
