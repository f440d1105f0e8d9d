"""Reading: every picture once, at its own time, in its own format, however odd the file."""

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip, damage, times

from stream.capture.file import FileSource
from stream.errors import DecodeError, OpenError
from stream.frame import ColorTags, Discontinuity

X264 = (("preset", "ultrafast"),)
BFRAMES = (("preset", "medium"), ("bf", "3"))
CLIPS = {
    "constant rate": Clip(),
    "variable rate": Clip(gaps=(512, 300, 1111)),
    "B-frames": Clip(options=BFRAMES, gaps=(512, 700)),
    "late start": Clip(start=6400, audio="aac"),
    "transport stream": Clip(suffix=".ts", time_base=Fraction(1, 90000), gaps=(3600,)),
    "matroska": Clip(suffix=".mkv", time_base=Fraction(1, 1000), gaps=(33, 34)),
    "odd size": Clip(
        ".mkv",
        "libvpx-vp9",
        853,
        479,
        frames=3,
        options=(("cpu-used", "8"), ("deadline", "realtime")),
    ),
    "10 bit": Clip(pixel_format="yuv420p10le", color=(1, 9, 16, 9)),
    "4:2:2": Clip(pixel_format="yuv422p"),
    "4:4:4": Clip(pixel_format="yuv444p", width=61, height=47),
    "full range": Clip(color=(2, 1, 1, 1)),
    "grey 16": Clip(".mkv", "ffv1", pixel_format="gray16le", frames=3, options=()),
    "one frame": Clip(frames=1),
    "2x2": Clip(width=2, height=2),
    "anamorphic": Clip(sample_aspect_ratio=Fraction(4, 3)),
    "second video and cover": Clip(second_video=True, cover=True, frames=5),
}


@pytest.fixture
def opened():
    """Opens sources and closes them after the test."""
    sources = []

    def open_source(path, **options):
        sources.append(FileSource(path, **options))
        return sources[-1]

    yield open_source
    for source in sources:
        source.close()


@pytest.mark.parametrize("spec", CLIPS.values(), ids=CLIPS)
def test_every_picture_at_its_time(spec, clip, opened):
    path = clip(spec)
    source = opened(path)
    frames = list(source.frames())
    assert [frame.pts * frame.time_base for frame in frames] == times(path)
    assert len(frames) == spec.frames
    assert source.decode_failures == 0
    assert [frame.index for frame in frames] == list(range(spec.frames))
    assert [frame.discontinuity for frame in frames] == (
        [Discontinuity.START] + [None] * (spec.frames - 1)
    )
    info = source.info
    assert (info.width, info.height) == (spec.width, spec.height)
    assert info.pixel_format == spec.pixel_format
    assert info.start_pts == frames[0].pts
    assert info.sample_aspect_ratio == spec.sample_aspect_ratio
    assert not info.live


@pytest.mark.parametrize("name", ["B-frames", "odd size", "10 bit", "4:4:4", "grey 16"])
def test_samples_are_the_decoders_own(name, clip, opened):
    path = clip(CLIPS[name])
    with av.open(str(path)) as container:
        pictures = list(container.decode(video=0))
    for frame, picture in zip(opened(path).frames(), pictures, strict=True):
        plane = picture.planes[0]
        rows = np.frombuffer(plane, frame.planes.dtype).reshape(plane.height, -1)
        np.testing.assert_array_equal(frame.planes.arrays[0], rows[:, : plane.width])


def test_tags_and_estimates_are_reported(clip, opened):
    info = opened(clip(CLIPS["10 bit"])).info
    assert info.color == ColorTags(1, 9, 16, 9)
    assert info.codec == "h264"
    assert (info.frames_estimate, info.frame_rate) == (24, 25)
    assert info.duration_s == pytest.approx(0.96)
    full = opened(clip(CLIPS["full range"])).info
    assert full.color == ColorTags(2, 1, 1, 1)
    assert (full.source_pixel_format, full.pixel_format) == ("yuvj420p", "yuv420p")


@pytest.mark.parametrize(("counterclockwise", "clockwise"), [(90, 270), (180, 180), (270, 90)])
def test_rotation_is_reported_clockwise(counterclockwise, clockwise, clip, opened):
    info = opened(clip(Clip(rotation=counterclockwise, frames=2))).info
    assert info.rotation == clockwise


@pytest.mark.parametrize("position", [1, 7, 23])
@pytest.mark.parametrize("options", [(*X264, ("bf", "0")), BFRAMES], ids=["simple", "B-frames"])
def test_a_corrupt_packet_costs_one_picture(options, position, clip, opened, tmp_path):
    """Every other picture still comes, and the last good one is repeated so that time holds."""
    original = clip(Clip(options=options))
    broken = tmp_path / "broken.mp4"
    (lost,) = damage(original, broken, position)
    source = opened(broken)
    frames = list(source.frames())
    assert [frame.pts * frame.time_base for frame in frames] == times(original)
    assert (source.decode_failures, source.frames_missing) == (1, 0)
    where = next(index for index, frame in enumerate(frames) if frame.pts == lost)
    repeated, before = frames[where].planes.arrays, frames[where - 1].planes.arrays
    np.testing.assert_array_equal(repeated[0], before[0])


@pytest.mark.parametrize("position", [1, 7, 14, 23])
def test_a_corrupt_packet_makes_no_matroska_cut_off(position, clip, opened, tmp_path):
    """Reordered packets have gaps between them that are none of the pictures."""
    spec = Clip(".mkv", time_base=Fraction(1, 1000), gaps=(40,), options=BFRAMES, audio="aac")
    damage(clip(spec), tmp_path / "broken.mkv", position)
    source = opened(tmp_path / "broken.mkv")
    assert len(list(source.frames())) == 24
    assert (source.decode_failures, source.frames_missing) == (1, 0)


def test_the_first_packet_may_be_corrupt(clip, opened, tmp_path):
    original = clip(Clip(codec="mjpeg", suffix=".mov", pixel_format="yuvj420p", options=()))
    damage(original, tmp_path / "broken.mov", 0, 1)
    source = opened(tmp_path / "broken.mov")
    assert [frame.pts * frame.time_base for frame in source.frames()] == times(original)
    assert source.decode_failures == 2


def test_too_many_failures_in_a_row_give_up(clip, opened, tmp_path):
    original = clip(Clip(codec="mjpeg", suffix=".mov", pixel_format="yuvj420p", options=()))
    damage(original, tmp_path / "broken.mov", *range(10, 16))
    assert len(list(opened(tmp_path / "broken.mov", max_failures=6).frames())) == 24
    source = opened(tmp_path / "broken.mov", max_failures=5)
    with pytest.raises(DecodeError, match="6 pictures in a row") as caught:
        list(source.frames())
    assert "broken.mov" in str(caught.value)


def test_failures_with_good_pictures_between_them_never_give_up(clip, opened, tmp_path):
    original = clip(Clip(codec="mjpeg", suffix=".mov", pixel_format="yuvj420p", options=()))
    damage(original, tmp_path / "broken.mov", *range(1, 24, 2))
    source = opened(tmp_path / "broken.mov", max_failures=1)
    assert len(list(source.frames())) == 24
    assert source.decode_failures == 12


WHOLE = {
    ".mp4": Clip(frames=80, options=BFRAMES, audio="aac"),
    ".mov": Clip(".mov", "mjpeg", frames=80, pixel_format="yuvj420p", options=()),
    ".mkv": Clip(".mkv", frames=80, time_base=Fraction(1, 1000), gaps=(40,), audio="aac"),
    ".webm": Clip(
        *(".webm", "libvpx-vp9"),
        frames=80,
        time_base=Fraction(1, 1000),
        gaps=(40,),
        options=(("cpu-used", "8"), ("deadline", "realtime")),
    ),
    ".avi": Clip(
        ".avi", frames=80, options=(*X264, ("bf", "0")), time_base=Fraction(1, 25), gaps=(1,)
    ),
    ".ts": Clip(".ts", frames=80, time_base=Fraction(1, 90000), gaps=(3600,)),
}


def with_index_in_front(whole, path):
    with (
        av.open(str(whole)) as source,
        av.open(str(path), "w", options={"movflags": "faststart"}) as target,
    ):
        copies = {one.index: target.add_stream_from_template(one) for one in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    return path


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("suffix", WHOLE)
def test_a_truncated_file_gives_what_is_there_and_tells_what_is_missing(
    suffix, share, clip, opened, tmp_path
):
    whole = clip(WHOLE[suffix])
    if suffix in (".mp4", ".mov"):
        whole = with_index_in_front(whole, tmp_path / f"fast{suffix}")
    source = opened(whole)
    expected = [frame.pts * frame.time_base for frame in source.frames()]
    assert len(expected) == 80
    assert source.frames_missing == 0
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    source = opened(cut)
    frames = [frame.pts * frame.time_base for frame in source.frames()]
    assert frames == [time for time in expected if time in frames]
    assert 8 <= len(frames) < 80
    if suffix == ".ts":
        return  # which has no end of its own
    told = source.frames_missing
    assert told >= 1 if suffix == ".avi" else abs(80 - len(frames) - told) <= 3


def test_frames_lost_in_the_midst_of_a_damaged_file_are_told(clip, opened, tmp_path):
    """Matroska has no index of its frames: what an unreadable place held never comes."""
    spec = Clip(
        ".mkv", frames=90, time_base=Fraction(1, 1000), gaps=(40,), options=(*X264, ("g", "15"))
    )
    raw = bytearray(clip(spec).read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + len(raw) // 5] = bytes(len(raw) // 5)
    (tmp_path / "hole.mkv").write_bytes(raw)
    source = opened(tmp_path / "hole.mkv")
    frames = list(source.frames())
    assert len(frames) < 90
    assert source.decode_failures >= 1
    assert abs(90 - len(frames) - source.frames_missing) <= 3


def test_a_size_change_midway_is_refused(clip, opened, tmp_path):
    changing = tmp_path / "changing.ts"
    unit = Fraction(1, 90000)
    parts = [
        Clip(".ts", width=width, height=96, frames=10, time_base=unit, gaps=(3600,), start=start)
        for width, start in ((160, 0), (128, 36000))
    ]
    changing.write_bytes(b"".join(clip(part).read_bytes() for part in parts))
    source = opened(changing)
    with pytest.raises(DecodeError, match=r"changes from 160x96 yuv420p to 128x96"):
        list(source.frames())


def make_unreadable(kind, path, clip):
    if kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("It was a dark and stormy night.\n" * 99)
    elif kind == "index cut off":
        whole = clip(Clip()).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "audio only":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=48000, layout="mono")
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 48000, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    elif kind == "no pictures":
        shutil.copy(clip(Clip(frames=2)), path)
        damage(path, path, 0, 1)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("text", "cannot be read as video"),
        ("index cut off", "cut off before its index"),
        ("audio only", "holds no video, only audio"),
        ("no pictures", "not one frame"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(kind, says, clip, tmp_path):
    path = tmp_path / "clip.mp4"
    make_unreadable(kind, path, clip)
    with pytest.raises(OpenError, match=says) as caught:
        FileSource(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_permission_is_named(clip, tmp_path, monkeypatch):
    """Root may read everything, so the refusal is FFmpeg's in name only."""

    def refuse(*args, **kwargs):
        raise av.error.PermissionError(13, "Permission denied")

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(OpenError, match="may not be read"):
        FileSource(clip(Clip()))


def test_a_colon_in_the_name_is_not_a_protocol(clip, tmp_path, opened):
    path = tmp_path / "12:30 live.mp4"
    shutil.copy(clip(Clip()), path)
    assert len(list(opened(path).frames())) == 24


def test_missing_timestamps_follow_the_rate(clip, opened, tmp_path):
    """A raw H.264 stream has no time at all."""
    raw = tmp_path / "raw.h264"
    with av.open(str(raw), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25, options=dict(X264))
        stream.width = stream.height = 64
        for index in range(6):
            picture = av.VideoFrame(64, 64, "yuv420p")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    source = opened(raw)
    pts = [frame.pts * frame.time_base for frame in source.frames()]
    assert [later - pts[0] for later in pts] == [Fraction(index, 25) for index in range(6)]
