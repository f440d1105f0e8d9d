from fractions import Fraction

import av
import numpy as np
import pytest

from stream.frame import ColorTags, Frame, Planes
from stream.output.layout import exact
from stream.pixel_format import (
    color_tags,
    flowing_format,
    format_of,
    has_alpha,
    read_alpha,
    read_planes,
    write_picture,
    write_planes,
)

KEPT = [
    f"{stem}{depth}"
    for stem in ("gray", "yuv420p", "yuv422p", "yuv444p")
    for depth in ("", "9le", "10le", "12le", "14le", "16le")
]
RGB = [f"gbrp{depth}" for depth in ("", "9le", "10le", "12le", "14le", "16le")]
RGB += [f"gbrap{depth}" for depth in ("", "10le", "12le", "16le")]


def noise(name, width, height):
    """A picture whose samples are random within their bit depth, padding bytes included."""
    picture = av.VideoFrame(width, height, name)
    depth = picture.format.components[0].bits
    rng = np.random.default_rng(3)
    for plane in picture.planes:
        raw = np.frombuffer(plane, np.uint8 if depth == 8 else np.uint16)
        raw[:] = rng.integers(0, 1 << depth, raw.size)
    return picture


def framed(picture):
    return Frame(
        planes=read_planes(picture),
        pts=0,
        time_base=Fraction(1),
        color=color_tags(picture),
        alpha=read_alpha(picture),
    )


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
        ("yuv411p", "yuv422p"),
        ("yuv440p", "yuv444p"),
        ("gray16be", "gray16le"),
        ("monow", "gray"),
        ("pal8", "gbrp"),
        ("rgb565le", "gbrp"),
        ("x2rgb10le", "gbrp10le"),
        ("rgb48be", "gbrp16le"),
    ],
)
def test_other_formats_become_the_nearest_planar_one(name, flows):
    picture = av.VideoFrame(18, 10, name)
    assert flowing_format(name) == flows
    assert format_of(read_planes(picture), rgb=color_tags(picture).rgb) == flows


def test_rgb_stays_rgb_and_says_so():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8)
    picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
    green, blue, red = read_planes(picture).arrays
    np.testing.assert_array_equal(np.stack([red, green, blue], -1), pixels)
    assert color_tags(picture) == ColorTags(range=2, matrix=0)
    assert color_tags(picture).rgb


def test_rgb_for_an_encoder_of_yuv_is_bt709_limited():
    picture = av.VideoFrame.from_ndarray(np.full((8, 8, 3), (255, 0, 0), np.uint8), "rgb24")
    frame = Frame(
        planes=read_planes(picture), pts=0, time_base=Fraction(1), color=color_tags(picture)
    )
    y, u, v = (int(array[4, 4]) for array in read_planes(write_picture(frame, "yuv444p")).arrays)
    # BT.709: Y = 16 + 219 * 0.2126, V = 128 + 112; swscale rounds within 1
    assert (y, u, v) == pytest.approx((63, 102, 240), abs=1)


@pytest.mark.parametrize("name", ["rgba", "bgra", "rgba64be", "gbrap", "gbrap12le", "yuva420p"])
def test_transparency_is_read_and_written_unchanged(name):
    picture = noise(name, 33, 17)
    planes, alpha = read_planes(picture), read_alpha(picture)
    rgb = color_tags(picture).rgb
    again = write_planes(planes, rgb=rgb, alpha=alpha)
    assert again.format.name == flowing_format(name)
    np.testing.assert_array_equal(read_alpha(again), alpha)
    for before, after in zip(planes.arrays, read_planes(again).arrays, strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", ["ya8", "ya16le", "ya16be"])
def test_grey_with_transparency_is_taken_apart(name):
    picture = noise(name, 33, 17)
    again = write_planes(read_planes(picture), alpha=read_alpha(picture)).reformat(format=name)
    rows = [np.frombuffer(shot.planes[0], np.uint8).reshape(17, -1) for shot in (picture, again)]
    width = 33 * (2 if name == "ya8" else 4)
    np.testing.assert_array_equal(rows[1][:, :width], rows[0][:, :width])


@pytest.mark.parametrize("flowing", KEPT + RGB)
def test_what_an_encoder_is_given_instead_has_the_same_samples(flowing):
    # swscale loses the last chroma column of p010 where the width is odd; no device takes those
    frame = framed(noise(flowing, 33, 17))
    for layout in exact(flowing):
        again = write_picture(frame, layout.name)
        assert (again.format.name, layout.change) == (layout.name, "")
        for before, after in zip(frame.planes.arrays, read_planes(again).arrays, strict=False):
            np.testing.assert_array_equal(after, before)
        if frame.alpha is not None:
            np.testing.assert_array_equal(read_alpha(again), frame.alpha)


def test_rearranging_never_writes_over_samples():
    """As swscale did in one conversion of twenty, on several threads of a busy machine."""
    frame = framed(noise("yuv420p10le", 34, 18))
    for _ in range(500):
        again = read_planes(write_picture(frame, "p010le"))
        for before, after in zip(frame.planes.arrays, again.arrays, strict=True):
            np.testing.assert_array_equal(after, before)


def test_twelve_bits_are_rounded_to_ten():
    luma = np.array([[0, 1, 2, 3, 5, 6, 4093, 4094, 4095]], np.uint16)
    frame = Frame(planes=Planes((luma,) * 3, (0, 0), 12), pts=0, time_base=Fraction(1), alpha=luma)
    picture = write_picture(frame, "yuva444p10le")
    expected = [0, 0, 1, 1, 1, 2, 1023, 1023, 1023]
    assert read_planes(picture).arrays[0].tolist() == read_alpha(picture).tolist() == [expected]


def test_grey_png_is_not_taken_for_rgb():
    picture = av.VideoFrame(8, 8, "gray")
    picture.colorspace = 0
    assert not color_tags(picture).rgb


def test_grey_is_of_full_range_unless_tagged():
    picture = av.VideoFrame(8, 8, "gray")
    assert color_tags(picture).full_range
    picture.color_range = 1
    assert not color_tags(picture).full_range


def test_full_range_names_are_tagged_as_such():
    assert color_tags(av.VideoFrame(8, 8, "yuvj420p")).full_range
    assert not color_tags(av.VideoFrame(8, 8, "yuv420p")).full_range


def test_alpha_is_noticed():
    assert has_alpha("yuva420p")
    assert not has_alpha("yuv420p")
