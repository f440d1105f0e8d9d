"""Before and after in one picture, for every plane layout, size and rotation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from fakes import FakeProcessor

from stream.frame import ColorTags, Frame, Planes, StreamInfo, chroma_size
from stream.jobs.comparison import Comparison, View

LIMITED, FULL, RGB = ColorTags(1, 1, 1, 1), ColorTags(2, 1, 1, 1), ColorTags(2, 1, 1, 0)


class Inverting(FakeProcessor):
    """Looks one frame ahead, so that before and after do not come together."""

    def __init__(self):
        super().__init__(lookahead=1)

    def process(self, frame):
        peak = (1 << frame.planes.bit_depth) - 1
        arrays = tuple(peak - array for array in frame.planes.arrays)
        planes = Planes(arrays, frame.planes.subsampling, frame.planes.bit_depth)
        return super().process(frame.replace(planes=planes))


def described(width, height, rotation=0):
    angle = math.radians(rotation)
    a, b = round(65536 * math.cos(angle)), round(65536 * math.sin(angle))
    return StreamInfo(
        name="x",
        width=width,
        height=height,
        pixel_format="",
        source_pixel_format="",
        time_base=Fraction(1, 25),
        display_matrix=(a, b, 0, -b, a, 0, 0, 0, 1 << 30) if rotation else None,
    )


def frames(width, height, subsampling=(1, 1), depth=8, color=LIMITED, grey=False, count=3):
    rng = np.random.default_rng(3)
    sizes = [(width, height)] + [chroma_size(width, height, subsampling)] * (0 if grey else 2)
    dtype = np.uint8 if depth == 8 else np.uint16
    for pts in range(count):
        arrays = tuple(rng.integers(0, 1 << depth, size[::-1]).astype(dtype) for size in sizes)
        planes = Planes(arrays, subsampling, depth)
        yield Frame(planes=planes, pts=pts, time_base=Fraction(1, 25), color=color)


def compare(view, given, info):
    comparison = Comparison(Inverting(), view)
    comparison.start(info)
    made = [result for frame in given for result in comparison.process(frame)]
    made += comparison.flush()
    comparison.close()
    return made


FORMATS = {
    "4:2:0": {},
    "4:2:0, 10 bit": {"depth": 10},
    "4:2:2": {"subsampling": (1, 0)},
    "4:4:4, 12 bit": {"subsampling": (0, 0), "depth": 12},
    "grey 16": {"grey": True, "depth": 16},
    "full range": {"color": FULL},
    "RGB": {"color": RGB, "subsampling": (0, 0)},
}


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (2, 2), (1, 1)])
@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_side_by_side_holds_both_whole(kind, size):
    given, info = list(frames(*size, **kind)), described(*size)
    made = compare(View.SIDE, given, info)
    assert [frame.pts for frame in made] == [0, 1, 2]
    width, height = size
    for before, both in zip(given, made, strict=True):
        assert (both.width, both.height) == (2 * (width + width % 2), height)
        assert both.width == View.SIDE.describe(info).width
        peak = (1 << before.planes.bit_depth) - 1
        for plane, joined in zip(before.planes.arrays, both.planes.arrays, strict=True):
            half, own = joined.shape[1] // 2, plane.shape[1]
            np.testing.assert_array_equal(joined[:, :own], plane)
            np.testing.assert_array_equal(joined[:, half : half + own], peak - plane)


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (641, 3)])
@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_a_split_screen_keeps_the_size_and_marks_the_line(kind, size):
    given, info = list(frames(*size, **kind)), described(*size)
    made = compare(View.SPLIT, given, info)
    assert View.SPLIT.describe(info) == info
    middle, line = size[0] // 4 * 2, 2
    color = kind.get("color", LIMITED)
    for before, both in zip(given, made, strict=True):
        peak = (1 << before.planes.bit_depth) - 1
        for index, (plane, joined) in enumerate(
            zip(before.planes.arrays, both.planes.arrays, strict=True)
        ):
            scale = 2 if plane.shape[1] < size[0] else 1
            left, right = middle // scale, (middle + line) // scale
            np.testing.assert_array_equal(joined[:, :left], plane[:, :left])
            np.testing.assert_array_equal(joined[:, right:], peak - plane[:, right:])
            white = peak if color in (FULL, RGB) else 235 * (peak + 1) // 256
            neutral = white if color == RGB else (peak + 1) // 2
            assert (joined[:, left:right] == (neutral if index else white)).all()


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_before_is_on_the_left_as_a_player_turns_it(rotation, view):
    info = described(64, 48, rotation)
    assert info.rotation == rotation
    (given,) = frames(64, 48, count=1)
    (made,) = compare(view, [given], info)
    turn = -rotation // 90  # clockwise
    shown, before = (np.rot90(frame.planes.arrays[0], turn) for frame in (made, given))
    after = 255 - before
    width = before.shape[1]
    if view is View.SIDE:
        np.testing.assert_array_equal(shown, np.concatenate([before, after], axis=1))
    else:
        np.testing.assert_array_equal(shown[:, : width // 2 - 2], before[:, : width // 2 - 2])
        np.testing.assert_array_equal(shown[:, width // 2 + 2 :], after[:, width // 2 + 2 :])
    out = view.describe(info)
    assert (made.width, made.height) == (out.width, out.height)
