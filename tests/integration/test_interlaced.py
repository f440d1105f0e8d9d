"""Interlaced video: whole pictures, as many as before, at their own times, and never combed."""

import contextlib
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import times
from fakes import FakeProcessor

from stream.capture.file import FileSource
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions

WIDTH, HEIGHT, COUNT, SPEED = 128, 64, 9, 5
H264 = {"preset": "ultrafast", "bf": "0", "qp": "1", "flags": "+ildct+ilme"}
MPEG2 = {"flags": "+ildct+ilme+qscale", "global_quality": "236"}
CASES = {
    "h264, top first": (".mkv", "libx264", H264 | {"x264-params": "tff=1"}, "yuv420p", True),
    "h264, bottom first": (".ts", "libx264", H264 | {"x264-params": "bff=1"}, "yuv420p", False),
    "mpeg2": (".ts", "mpeg2video", MPEG2, "yuv420p", True),
    "ffv1": (".mkv", "ffv1", {}, "yuv422p10le", True),
    "the file alone says it": (".mov", "v210", {}, "yuv422p10le", True),
}


def field(time):
    """A bright bar on a dark ground, moving: (H, W) at a time counted in fields."""
    shot = np.full((HEIGHT, WIDTH), 40, np.uint8)
    shot[:, 10 + SPEED * time : 26 + SPEED * time] = 200
    return shot


def woven(index, top_first):
    """Two fields of different times in one picture, as an interlaced camera gives it."""
    first, second = field(2 * index), field(2 * index + 1)
    top, bottom = (first, second) if top_first else (second, first)
    shot = np.empty_like(top)
    shot[0::2], shot[1::2] = top[0::2], bottom[1::2]
    return shot


def tagged(picture, top_first):
    """PyAV cannot set a picture's field flags; a filter can."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=WIDTH, height=HEIGHT, format=picture.format, time_base=picture.time_base
    )
    tag = graph.add("setfield", "tff" if top_first else "bff")
    graph.link_nodes(source, tag, graph.add("buffersink")).configure()
    graph.vpush(picture)
    return graph.vpull()


def make(path, codec, options, layout, *, top_first=True, woven_from=0):
    """Every picture one field pair; the time base of MPEG-2 allows a constant rate only."""
    steady = codec == "mpeg2video"
    unit, gaps = (Fraction(1, 25), (1,)) if steady else (Fraction(1, 1000), (40, 30))
    format_name = {".ts": "mpegts", ".mkv": "matroska"}.get(path.suffix)
    with av.open(str(path), "w", format=format_name) as container:
        video = container.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, layout
        video.codec_context.time_base = video.time_base = unit
        if codec == "v210":
            video.codec_context.field_order = 2
        pts = 0
        for index in range(COUNT):
            whole = index < woven_from
            shot = field(2 * index) if whole else woven(index, top_first)
            picture = av.VideoFrame.from_ndarray(shot, "gray").reformat(format=layout)
            picture.pts, picture.time_base = pts, unit
            if not whole and codec != "v210":
                picture = tagged(picture, top_first)
            container.mux(video.encode(picture))
            pts += gaps[index % len(gaps)]
        container.mux(video.encode(None))


def combing(luma):
    """How much more rows differ from their neighbours than from those two away."""
    rows = luma.astype(float)
    near = np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).mean()
    far = np.abs(rows[2:] - rows[:-2]).mean()
    return near - far


def lumas(path):
    source = FileSource(path)
    frames = list(source.frames())
    source.close()
    scale = 1 << (frames[0].planes.bit_depth - 8)
    return [frame.planes.arrays[0] / scale for frame in frames], source.info


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_pictures_are_whole_and_keep_count_and_time(case, tmp_path):
    suffix, codec, options, layout, top_first = case
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.mkv"
    make(source, codec, options, layout, top_first=top_first)
    lossless = CleanOptions(EncoderOptions("ffv1"))
    result = clean_file(source, target, FakeProcessor(), lossless)
    assert result.stats.frames_out == COUNT
    assert times(target) == times(source)
    assert result.warnings == (f"{source}: its interlacing cannot be kept",)
    cleaned, _ = lumas(target)
    for index, luma in enumerate(cleaned):
        assert combing(woven(index, top_first)) > 10
        assert combing(luma) < 1
        # at the time of the first field: the bar is where that field saw it
        error = np.abs(luma - field(2 * index))[:, 4:-4].mean()
        assert error < np.abs(luma - field(2 * index + 1))[:, 4:-4].mean() / 2


def durations(path):
    """Of the frames in the pipeline, in seconds."""
    with contextlib.closing(FileSource(path)) as source:
        return [frame.duration * frame.time_base for frame in source.frames()]


def test_deinterlaced_frames_last_as_long_as_before(tmp_path):
    source = tmp_path / "in.mkv"
    make(source, "libx264", H264 | {"x264-params": "tff=1"}, "yuv420p")
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        given = {
            packet.duration * video.time_base for packet in container.demux(video) if packet.size
        }
    found = durations(source)
    assert len(found) == COUNT
    assert set(found) == given


def test_what_is_whole_passes_bit_for_bit_until_the_first_fields(tmp_path):
    source = tmp_path / "in.mkv"
    make(source, "ffv1", {}, "gray", woven_from=4)
    shown, info = lumas(source)
    assert len(shown) == COUNT
    for index in range(4):
        np.testing.assert_array_equal(shown[index], field(2 * index))
    assert all(combing(luma) < 1 for luma in shown)
    assert "interlacing" not in info.not_carried


def test_a_search_gives_the_same_pictures(tmp_path):
    """The filter looks at neighbours; after one picture it no longer knows where it began."""
    source = tmp_path / "in.mkv"
    make(source, "ffv1", {}, "yuv420p")
    whole = FileSource(source)
    frames = list(whole.frames())
    whole.search(frames[6].pts)
    again = {frame.pts: frame for frame in whole.frames()}
    whole.close()
    for frame in frames[2:]:
        for one, other in zip(frame.planes.arrays, again[frame.pts].planes.arrays, strict=True):
            np.testing.assert_array_equal(one, other)
