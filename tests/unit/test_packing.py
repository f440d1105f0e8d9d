"""Moving samples to a quarter of the resolution and back, and the 4:2:0 view of any layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.network import frame_features, residual_planes
from models.planes import Levels
from stream.frame import ColorTags, Planes, chroma_size
from stream.inference import yuv420
from stream.inference.channel_groups import samples_of
from stream.inference.engine import Geometry
from stream.inference.packing import grid, pack, unpack

SUBSAMPLINGS = [(1, 1), (1, 0), (0, 0), (2, 0), (0, 1), (2, 2)]
PICTURES = {
    "width": st.integers(1, 70),
    "height": st.integers(1, 70),
    "subsampling": st.sampled_from(SUBSAMPLINGS),
    "depth": st.sampled_from([8, 10, 16]),
    "count": st.sampled_from([1, 3]),
}


def picture(width, height, subsampling, depth=8, count=3, seed=0):
    rng = np.random.default_rng(seed)
    chroma = chroma_size(width, height, subsampling)[::-1]
    dtype = np.uint8 if depth == 8 else np.uint16
    arrays = tuple(
        rng.integers(0, 1 << depth, shape).astype(dtype)
        for shape in [(height, width), chroma, chroma][:count]
    )
    return Planes(arrays, subsampling, depth)


def geometry(planes, *, full_range=False, rgb=False):
    return Geometry.of(planes, ColorTags(range=2 if full_range else 1, matrix=0 if rgb else 1))


@given(**PICTURES)
def test_unpacked_is_as_packed(width, height, subsampling, depth, count):
    pictures = [picture(width, height, subsampling, depth, count, seed) for seed in (0, 1)]
    found = unpack(pack(pictures, geometry(pictures[0])), geometry(pictures[0]))
    for before, after in zip(pictures, found, strict=True):
        assert (after.subsampling, after.bit_depth) == (before.subsampling, before.bit_depth)
        for a, b in zip(before.arrays, after.arrays, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [(64, 48), (53, 47)])
def test_420_is_what_the_network_was_trained_on(size):
    planes = picture(*size, (1, 1))
    layout = geometry(planes)
    values = pack([planes], layout).astype(np.float32)
    expected = frame_features(*(a[None] for a in planes.arrays), Levels())
    np.testing.assert_allclose(yuv420.features(values, layout, np), expected, atol=1e-6)
    residual = np.random.default_rng(1).normal(0, 0.05, expected.shape).astype(np.float32)
    out = yuv420.corrected(values, residual, layout, np).astype(np.uint8)
    changes = residual_planes(residual, size[1], size[0], Levels())
    for array, change, found in zip(
        planes.arrays, changes, unpack(out, layout)[0].arrays, strict=True
    ):
        np.testing.assert_array_equal(found, np.clip(np.rint(array + change[0]), 0, 255))


@given(**PICTURES, full_range=st.booleans())
def test_groups_of_channels_hold_the_same(width, height, subsampling, depth, count, full_range):
    planes = picture(width, height, subsampling, depth, count)
    layout = geometry(planes, full_range=full_range)
    values = pack([planes], layout).astype(np.float32)
    samples = samples_of(planes, layout)
    features = np.full((6, *grid(layout), 4), np.nan, np.float32)
    samples.write_features(features)
    joined = np.concatenate(features, -1)
    np.testing.assert_array_equal(joined, yuv420.features(values, layout, np)[0])
    residual = np.random.default_rng(1).normal(0, 0.2, joined.shape).astype(np.float32)
    expected = yuv420.corrected(values, residual[None], layout, np).astype(layout.dtype)
    groups = np.stack(np.split(residual, 6, -1))
    found = samples.corrected(groups)
    for one, other in zip(found.arrays, unpack(expected, layout)[0].arrays, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("rgb", [False, True])
def test_flat_colour_looks_the_same_in_every_layout(subsampling, rgb):
    """A flat picture has a flat view, and a flat residual a flat change."""
    if rgb and subsampling != (0, 0):
        return
    planes = picture(40, 24, subsampling)
    flat = Planes(
        tuple(np.full_like(a, v) for a, v in zip(planes.arrays, (100, 120, 140), strict=True)),
        subsampling,
    )
    layout = geometry(flat, rgb=rgb)
    values = pack([flat], layout).astype(np.float32)
    seen = yuv420.features(values, layout, np)
    assert seen.shape == (1, *grid(layout), 24)
    for part in (seen[..., :16], seen[..., 16:20], seen[..., 20:]):
        np.testing.assert_allclose(part, part[0, 0, 0, 0], atol=1e-6)
    changed = yuv420.corrected(values, np.full_like(seen, 0.1), layout, np)
    for array in unpack(changed.astype(np.uint8), layout)[0].arrays:
        assert (array == array[0, 0]).all()
    assert (changed != values).any()
    np.testing.assert_array_equal(yuv420.corrected(values, 0 * seen, layout, np), values)


def test_grey_has_neutral_chroma():
    planes = picture(32, 16, (0, 0), count=1)
    layout = geometry(planes)
    seen = yuv420.features(pack([planes], layout).astype(np.float32), layout, np)
    assert not seen[..., 16:].any()
    assert seen[..., :16].any()
