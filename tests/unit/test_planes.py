import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import planes as yuv
from models.color import add_residual, rgb_to_planes
from models.packing import pack_420, padded, unpack_420
from models.planes import Levels


def random_planes(rng, height, width, batch=1, peak=255, dtype=np.uint8):
    rows, columns = yuv.chroma_shape(height, width)
    shapes = [(batch, height, width), (batch, rows, columns), (batch, rows, columns)]
    return [rng.integers(0, peak + 1, shape).astype(dtype) for shape in shapes]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_pack_and_unpack_are_inverse(rows, columns, batch):
    planes = random_planes(np.random.default_rng(0), 4 * rows, 4 * columns, batch)
    features = pack_420(*planes, np)
    assert features.shape == (batch, rows, columns, yuv.CHANNELS)
    for before, after in zip(planes, unpack_420(features, np), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_feature_vector_holds_the_patch_row_by_row():
    y = np.arange(64).reshape(1, 8, 8)
    u = 100 + np.arange(16).reshape(1, 4, 4)
    features = pack_420(y, u, u + 100, np)
    np.testing.assert_array_equal(features[0, 1, 0, :16], y[0, 4:8, 0:4].ravel())
    np.testing.assert_array_equal(features[0, 1, 0, 16:20], u[0, 2:4, 0:2].ravel())


@given(st.integers(1, 20), st.integers(1, 20))
def test_padding_repeats_the_border_and_keeps_the_inside(height, width):
    plane = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    grown = padded(plane, 32, 32)
    assert grown.shape == (32, 32)
    assert grown.dtype == plane.dtype
    np.testing.assert_array_equal(grown[:height, :width], plane)
    assert (grown[height:, :width] == plane[-1]).all()
    assert (grown[:, width:] == grown[:, width - 1 : width]).all()


@pytest.mark.parametrize(
    ("levels", "black", "white", "grey"),
    [
        (Levels(8, full_range=False), 16, 235, 128),
        (Levels(8, full_range=True), 0, 255, 128),
        (Levels(10, full_range=False), 64, 940, 512),
        (Levels(10, full_range=True), 0, 1023, 512),
        (Levels(12, full_range=False), 256, 3760, 2048),
    ],
)
def test_levels_are_those_of_the_standards(levels, black, white, grey):
    offset, span = levels.luma
    assert (offset, offset + span, levels.chroma[0]) == (black, white, grey)


def test_an_unsupported_bit_depth_is_refused():
    with pytest.raises(ValueError, match="bit depth is 7"):
        Levels(7)


@pytest.mark.parametrize(("matrix", "luma"), [("bt601", 81), ("bt709", 63)])
def test_luma_of_pure_red(matrix, luma):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    y, u, v = rgb_to_planes(red, Levels(), matrix)
    assert (y == luma).all()
    assert (v == 240).all()
    assert u.shape == (2, 2)


@pytest.mark.parametrize("size", [(48, 64), (47, 53), (1, 1)])
def test_a_residual_between_two_pictures_leads_from_one_to_the_other(size):
    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.linspace(20, 190, size[0]), np.linspace(0, 40, size[1]))
    source = np.repeat(smooth[..., None], 3, axis=2).astype(np.uint8)
    target = source + np.array([9, 3, 14], np.uint8) + rng.integers(0, 6, (*size, 1), np.uint8)
    before, after = rgb_to_planes(source, Levels()), rgb_to_planes(target, Levels())
    residual = tuple(b.astype(np.float32) - a for a, b in zip(before, after, strict=True))
    # limited-range luma and halved chroma are rounded twice: at most 2 codes each way
    assert np.abs(add_residual(source, residual, Levels()).astype(int) - target).max() <= 4


def test_no_residual_leaves_rgb_bit_exact():
    rgb = np.random.default_rng(0).integers(0, 256, (15, 17, 3), np.uint8)
    rows, columns = yuv.chroma_shape(15, 17)
    residual = (np.zeros((15, 17)), np.zeros((rows, columns)), np.zeros((rows, columns)))
    np.testing.assert_array_equal(add_residual(rgb, residual, Levels()), rgb)


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_error_weights_measure_rgb_error(plane):
    grey = np.full((16, 16, 3), 120, np.uint8)
    residual = [np.zeros((16, 16)), np.zeros((8, 8)), np.zeros((8, 8))]
    residual[plane] += 20
    changed = [add_residual(grey, tuple(residual), Levels(), m) for m in ("bt601", "bt709")]
    found = np.mean([(rgb.astype(float) - 120) ** 2 for rgb in changed])
    features = pack_420(*(r[None] for r in residual), np)
    _, scale = yuv.channel_levels(Levels())
    predicted = (((features / scale) ** 2).mean((0, 1, 2)) * yuv.RGB_ERROR_WEIGHTS).sum() * 255**2
    # RGB is rounded: errors of some 20 to 40 codes change by half a code
    assert predicted == pytest.approx(found, rel=0.05)
