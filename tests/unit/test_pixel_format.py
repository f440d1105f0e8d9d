import av
import numpy as np
import pytest

from stream.frame import ColorTags
from stream.pixel_format import (
    color_tags,
    flowing_format,
    format_of,
    has_alpha,
    read_planes,
    write_planes,
)

KEPT = [
    f"{stem}{depth}"
    for stem in ("gray", "yuv420p", "yuv422p", "yuv444p")
    for depth in ("", "9le", "10le", "12le", "14le", "16le")
]


def noise(name, width, height):
    """A picture whose samples are random within their bit depth, padding bytes included."""
    picture = av.VideoFrame(width, height, name)
    depth = picture.format.components[0].bits
    rng = np.random.default_rng(3)
    for plane in picture.planes:
        raw = np.frombuffer(plane, np.uint8 if depth == 8 else np.uint16)
        raw[:] = rng.integers(0, 1 << depth, raw.size)
    return picture


@pytest.mark.parametrize("size", [(64, 48), (853, 479), (33, 17), (2, 2), (1, 1)])
@pytest.mark.parametrize("name", KEPT)
def test_planar_formats_keep_every_sample(name, size):
    picture = noise(name, *size)
    planes = read_planes(picture)
    assert format_of(planes) == flowing_format(name) == name
    again = read_planes(write_planes(planes))
    for before, after in zip(planes.arrays, again.arrays, strict=True):
        np.testing.assert_array_equal(before, after)
    plane = picture.planes[0]
    rows = np.frombuffer(plane, planes.dtype).reshape(size[1], -1)[:, : size[0]]
    np.testing.assert_array_equal(planes.arrays[0], rows)


def test_planes_outlive_the_picture():
    picture = noise("yuv420p", 32, 16)
    planes = read_planes(picture)
    before = planes.arrays[0].copy()
    np.frombuffer(picture.planes[0], np.uint8)[:] = 0
    np.testing.assert_array_equal(planes.arrays[0], before)


@pytest.mark.parametrize(
    ("interleaved", "planar"),
    [("nv12", "yuv420p"), ("p010le", "yuv420p10le"), ("yuyv422", "yuv422p"), ("nv24", "yuv444p")],
)
@pytest.mark.parametrize("color_range", [0, 1, 2])
def test_interleaved_yuv_keeps_every_sample(interleaved, planar, color_range):
    """There and back through FFmpeg's own interleaving."""
    source = noise(planar, 64, 48)
    source.color_range = color_range
    expected = read_planes(source)
    planes = read_planes(source.reformat(format=interleaved))
    assert format_of(planes) == planar
    for before, after in zip(expected.arrays, planes.arrays, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("name", "flows"),
    [
        ("yuvj420p", "yuv420p"),
        ("yuvj444p", "yuv444p"),
        ("yuva420p", "yuv420p"),
        ("yuv411p", "yuv422p"),
        ("yuv440p", "yuv444p"),
        ("gray16be", "gray16le"),
        ("monow", "gray"),
        ("pal8", "yuv444p"),
        ("gbrp10le", "yuv444p10le"),
        ("rgb48be", "yuv444p16le"),
    ],
)
def test_other_formats_become_the_nearest_planar_one(name, flows):
    assert flowing_format(name) == flows
    assert format_of(read_planes(av.VideoFrame(18, 10, name))) == flows


def test_red_becomes_bt709_limited_and_says_so():
    picture = av.VideoFrame.from_ndarray(np.full((8, 8, 3), (255, 0, 0), np.uint8), "rgb24")
    y, u, v = (int(array[4, 4]) for array in read_planes(picture).arrays)
    # BT.709: Y = 16 + 219 * 0.2126, V = 128 + 112; swscale rounds within 1
    assert (y, u, v) == pytest.approx((63, 102, 240), abs=1)
    assert color_tags(picture) == ColorTags(range=1, primaries=2, transfer=2, matrix=1)


def test_full_range_names_are_tagged_as_such():
    assert color_tags(av.VideoFrame(8, 8, "yuvj420p")).full_range
    assert not color_tags(av.VideoFrame(8, 8, "yuv420p")).full_range


def test_alpha_is_noticed():
    assert has_alpha("yuva420p")
    assert not has_alpha("yuv420p")
