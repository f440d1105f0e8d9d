from fractions import Fraction

import av
import numpy as np
import pytest

from stream.frame import ColorTags, Frame, Planes
from stream.output.layout import Layout, widened
from stream.pixel_format import read_alpha, read_planes, write_picture, write_planes
from stream.widen import limited

LIMITED, FULL = ColorTags(range=1), ColorTags(range=2)


def noise(layout, depth=8, width=33, height=17):
    rng = np.random.default_rng(3)
    x, y = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}[layout]
    chroma = (-(-height >> y), -(-width >> x))
    dtype = np.uint8 if depth == 8 else np.uint16
    shapes = (height, width), chroma, chroma
    return Planes(
        tuple(rng.integers(0, 1 << depth, shape).astype(dtype) for shape in shapes), (x, y), depth
    )


def written(planes, name, color=LIMITED, **parts):
    frame = Frame(planes=planes, pts=0, time_base=Fraction(1), color=color, **parts)
    picture = write_picture(frame, name)
    assert picture.format.name == name
    return picture


def told_by_ffmpeg(planes, name):
    """FFmpeg's own filter, told that chroma lies at the left pixels and between the rows."""
    picture = write_planes(planes)
    picture.pts, picture.color_range = 0, 1
    graph = av.filter.Graph()
    steps = [
        graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=Fraction(1, 25),
        ),
        graph.add("scale", "flags=bilinear+accurate_rnd:in_chroma_loc=left:out_chroma_loc=left"),
        graph.add("format", name),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    steps[0].push(picture)
    return read_planes(steps[-1].pull())


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("420", "yuv422p10le"),
        ("420", "yuv444p10le"),
        ("420", "yuv422p"),
        ("422", "yuv444p12le"),
        ("444", "yuv444p16le"),
    ],
)
def test_chroma_is_enlarged_in_its_place(layout, name):
    """An even size, as FFmpeg scales 17 rows to 17; at the edges it weighs otherwise."""
    planes = noise(layout, width=48, height=32)
    ours, theirs = read_planes(written(planes, name)), told_by_ffmpeg(planes, name)
    for one, other in zip(ours.arrays, theirs.arrays, strict=True):
        inside = np.s_[2:-2, 2:-2]
        difference = np.abs(one.astype(int) - other)[inside]
        assert difference.max() <= 1  # halves may round either way
    np.testing.assert_array_equal(
        ours.arrays[0], planes.arrays[0].astype(np.uint16) << (ours.bit_depth - 8)
    )


def test_what_was_enlarged_tells_the_old_samples():
    """4:2:0 of 8 bits in 4:2:2 of 10, by its own weights of 3/4 and 1/4."""
    planes = noise("420")
    wide = read_planes(written(planes, "yuv422p10le"))
    for old, new in zip(planes.arrays[1:], wide.arrays[1:], strict=True):
        again = [new[0].astype(int) // 4]
        for below in new[1:-1:2].astype(int):
            again.append(below - 3 * again[-1])
        np.testing.assert_array_equal(again, old)


@pytest.mark.parametrize(
    ("color", "name", "expected"),
    [
        (LIMITED, "yuv422p10le", (1020, 512, 1000)),
        (FULL, "yuv422p10le", (1023, 512, 1001)),  # 512 + 122 * 1023 / 255
        (FULL, "yuv420p16le", (65535, 32768, 64122)),
        (ColorTags(2, 1, 1, 0), "gbrp10le", (1023, 514, 1003)),
    ],
)
def test_white_and_neutral_stay_what_they_are(color, name, expected):
    shape = (8, 8) if color.rgb else (4, 4)
    arrays = [
        np.full(size, value, np.uint8)
        for size, value in (((8, 8), 255), (shape, 128), (shape, 250))
    ]
    planes = Planes(tuple(arrays), (0, 0) if color.rgb else (1, 1))
    wide = read_planes(written(planes, name, color))
    assert [np.unique(array).tolist() for array in wide.arrays] == [[value] for value in expected]


def test_transparency_gets_more_bits_too():
    planes = noise("420")
    alpha = np.full((17, 33), 255, np.uint8)
    alpha[0, 0] = 0
    wide = read_alpha(written(planes, "yuva444p10le", alpha=alpha))
    assert wide[0, 0] == 0
    assert np.unique(wide).tolist() == [0, 1023]


def test_grey_becomes_luma_of_more_bits():
    grey = Planes((noise("420").arrays[0],))
    luma, *chroma = read_planes(written(grey, "yuv422p10le")).arrays
    np.testing.assert_array_equal(luma, grey.arrays[0].astype(np.uint16) << 2)
    assert [np.unique(plane).tolist() for plane in chroma] == [[512], [512]]


def test_wider_layouts_come_from_the_smallest_to_the_largest():
    changes = {layout.name: layout.change for layout in widened([Layout("yuv420p")])}
    names = [name for name in changes if name in ("yuv420p10le", "yuv422p10le", "yuv422p")]
    assert names == ["yuv420p10le", "yuv422p10le", "yuv422p"]  # the last must round chroma
    assert changes["yuv422p10le"] == "chroma is enlarged to 4:2:2, 8 bits a sample become 10"
    assert widened([Layout("yuv444p16le")]) == widened([Layout("p010le")]) == []


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_full_range_becomes_limited_as_the_standard_has_it(depth):
    """ITU-T H.273: black and white are 16 and 235 of 8 bits, chroma's ends 16 and 240."""
    peak, unit = (1 << depth) - 1, 1 << (depth - 8)
    dtype = np.uint8 if depth == 8 else np.uint16
    luma = np.array([[0, peak]], dtype)
    chroma = np.array([[128 * unit, peak]], dtype)
    made = limited(Planes((luma, chroma, chroma), (0, 0), depth))
    assert made.arrays[0].tolist() == [[16 * unit, 235 * unit]]
    end = 128 * unit + round((peak - 128 * unit) * 224 * unit / peak)
    assert [array.tolist() for array in made.arrays[1:]] == 2 * [[[128 * unit, end]]]
    assert abs(end - 240 * unit) <= unit
