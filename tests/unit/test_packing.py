"""Planes to features and back, by everybody who does it, and the 4:2:0 view of any layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.export.step import RESIDUALS, network_frames, nominal_planes
from models.export.step import residual_codes as residual_in_codes
from models.grouped import channel_groups, samples_of
from models.packing import (
    corrected,
    features,
    frame_features,
    pack,
    pack_420,
    padded,
    residual_codes,
    unpack,
    unpack_420,
)
from models.planes import CHANNELS, channel_levels
from models.training.recurrence import nominal
from stream.frame import ColorTags, Planes, chroma_size
from stream.inference.engine import geometry_of

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
    return geometry_of(planes, ColorTags(range=2 if full_range else 1, matrix=0 if rgb else 1))


@given(**PICTURES)
def test_unpacked_is_as_packed(width, height, subsampling, depth, count):
    pictures = [picture(width, height, subsampling, depth, count, seed) for seed in (0, 1)]
    layout = geometry(pictures[0])
    found = unpack(pack([each.arrays for each in pictures], layout), layout)
    for before, after in zip(pictures, found, strict=True):
        for a, b in zip(before.arrays, after, strict=True):
            np.testing.assert_array_equal(a, b)


def by_the_definition(planes, layout):
    """Features sample by sample: 4x4 of luma, row by row, then 2x2 of U and of V."""
    rows, columns = layout.grid
    offset, scale = channel_levels(layout.levels)
    made = np.empty((rows, columns, CHANNELS), np.float32)
    for row, column, channel in np.ndindex(made.shape):
        index, inside = (0, channel) if channel < 16 else divmod(channel - 12, 4)
        side = 2 if index else 4
        plane = planes.arrays[index]
        down = min(side * row + inside // side, plane.shape[0] - 1)
        across = min(side * column + inside % side, plane.shape[1] - 1)
        code = np.float32(plane[down, across])
        made[row, column, channel] = (code - offset[channel]) / scale[channel]
    return made


def by_the_step_of_files(planes, layout):
    """Without a neighbour, what a file's step is held against packs its frame alone."""
    nominal = nominal_planes(planes.arrays, layout.levels)
    return network_frames(nominal, 0)[0]


def in_a_training_step(planes, layout):
    """Training packs clips whose sides need no padding."""
    whole = [
        padded(plane, rows * layout.grid[0], columns * layout.grid[1])[None]
        for plane, (rows, columns) in zip(planes.arrays, layout.blocks, strict=True)
    ]
    return np.array(nominal(pack_420(*whole, np)))[0]


def on_the_host(planes, layout):
    features = np.empty((6, *layout.grid, 4), np.float32)
    samples_of(planes.arrays, layout).write_features(features)
    return np.concatenate(features, -1)


@pytest.mark.parametrize("size", [(64, 48), (53, 47), (1, 2)])
@pytest.mark.parametrize(
    "packed",
    [
        lambda planes, layout: frame_features(planes.arrays, layout)[0],
        on_the_host,
        by_the_step_of_files,
        in_a_training_step,
    ],
    ids=["evaluation", "engines", "export", "training"],
)
def test_everybody_packs_a_frame_to_the_same_features(packed, size):
    planes = picture(*size, (1, 1))
    layout = geometry(planes)
    # nominal values of files are halved apart from the rest: one rounding more
    np.testing.assert_allclose(
        packed(planes, layout), by_the_definition(planes, layout), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("size", [(64, 48), (53, 47), (9, 7)])
def test_everybody_adds_a_residual_to_the_same_codes(size):
    planes = picture(*size, (1, 1))
    layout = geometry(planes)
    residual = np.random.default_rng(1).normal(0, 0.05, (1, *layout.grid, 24)).astype(np.float32)
    values = pack([planes.arrays], layout).astype(np.float32)
    compiled = corrected(values, residual, layout, np).astype(np.uint8)
    (expected,) = unpack(compiled, layout)
    groups = np.stack(np.split(residual[0], 6, -1))
    on_host = samples_of(planes.arrays, layout).corrected(groups)
    scores = unpack(residual_codes(residual, layout, np), layout)[0]
    outputs = dict(zip(RESIDUALS, (p[None] for p in unpack(residual, layout)[0]), strict=True))
    files = residual_in_codes(outputs, layout.levels)
    trained = unpack_420(residual_codes(residual, layout, np), np)
    for index, (array, made) in enumerate(zip(planes.arrays, expected, strict=True)):
        rows, columns = array.shape
        assert (made != array).any()
        np.testing.assert_array_equal(on_host[index], made)
        for change in (scores[index], files[index], trained[index][0, :rows, :columns]):
            np.testing.assert_array_equal(np.clip(np.rint(array + change), 0, 255), made)


@pytest.mark.parametrize("channels_first", [True, False])
def test_groups_are_the_memory_of_a_tensor(channels_first):
    tensor = np.zeros((24, 3, 5) if channels_first else (3, 5, 24), np.float32)
    channel_groups(tensor, channels_first=channels_first)[4, 2, 1, 3] = 1
    assert tensor[(19, 2, 1) if channels_first else (2, 1, 19)] == 1


@given(**PICTURES, full_range=st.booleans())
def test_groups_of_channels_hold_the_same(width, height, subsampling, depth, count, full_range):
    planes = picture(width, height, subsampling, depth, count)
    layout = geometry(planes, full_range=full_range)
    values = pack([planes.arrays], layout).astype(np.float32)
    samples = samples_of(planes.arrays, layout)
    groups = np.full((6, *layout.grid, 4), np.nan, np.float32)
    samples.write_features(groups)
    joined = np.concatenate(groups, -1)
    np.testing.assert_array_equal(joined, features(values, layout, np)[0])
    residual = np.random.default_rng(1).normal(0, 0.2, joined.shape).astype(np.float32)
    expected = corrected(values, residual[None], layout, np).astype(layout.dtype)
    groups = np.stack(np.split(residual, 6, -1))
    found = samples.corrected(groups)
    for one, other in zip(found, unpack(expected, layout)[0], strict=True):
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
    values = pack([flat.arrays], layout).astype(np.float32)
    seen = features(values, layout, np)
    assert seen.shape == (1, *layout.grid, 24)
    for part in (seen[..., :16], seen[..., 16:20], seen[..., 20:]):
        np.testing.assert_allclose(part, part[0, 0, 0, 0], atol=1e-6)
    changed = corrected(values, np.full_like(seen, 0.1), layout, np)
    for array in unpack(changed.astype(np.uint8), layout)[0]:
        assert (array == array[0, 0]).all()
    assert (changed != values).any()
    np.testing.assert_array_equal(corrected(values, 0 * seen, layout, np), values)


def test_grey_has_neutral_chroma():
    planes = picture(32, 16, (0, 0), count=1)
    layout = geometry(planes)
    seen = features(pack([planes.arrays], layout).astype(np.float32), layout, np)
    assert not seen[..., 16:].any()
    assert seen[..., :16].any()
