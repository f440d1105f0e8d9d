"""Tiles: where they lie, and that a tiled frame is the whole frame."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_model import save_random_weights

from models import registry
from models.network import LOOK_AHEAD
from stream.frame import ColorTags, Planes, chroma_size
from stream.inference.device import Compute
from stream.inference.engine import Result, geometry_of, neighbours_of
from stream.inference.keras_engine import KerasEngine
from stream.inference.tiles import StepLimits, TiledEngine, spans


@given(
    height=st.integers(1, 9000),
    width=st.integers(1, 9000),
    limit=st.integers(1, 10**7),
    margin=st.sampled_from([16, 64, 128]),
)
def test_tiles_cover_a_frame_once_with_their_margin_around(height, width, limit, margin):
    for length, tiles in zip((height, width), spans(height, width, limit, margin), strict=True):
        assert [tiles[0].start, tiles[0].keep_start] == [0, 0]
        assert [tiles[-1].stop, tiles[-1].keep_stop] == [length, length]
        assert len({tile.stop - tile.start for tile in tiles}) == 1, "one size, one compilation"
        for left, right in pairwise(tiles):
            assert left.keep_stop == right.keep_start
            assert right.start % 16 == right.keep_start % 16 == 0
            assert left.stop - left.keep_stop >= margin
            assert right.keep_start - right.start >= margin


@given(height=st.integers(1, 9000), width=st.integers(1, 9000), limit=st.integers(300**2, 10**7))
def test_tiles_keep_to_the_limit_where_their_margin_allows(height, width, limit):
    rows, columns = spans(height, width, limit, 64)
    size = (rows[0].stop - rows[0].start) * (columns[0].stop - columns[0].start)
    assert size <= limit
    assert (len(rows) == len(columns) == 1) == (height * width <= limit)


class Counting:
    """Adds how many frames its state has seen to each sample of the reference, or of the frame."""

    name = identity = "counting"
    compute = Compute("cpu", "float32")
    neighbours = LOOK_AHEAD
    aligned = True

    def __init__(self):
        self.batches = []

    def run(self, pictures, states, geometry, neighbours=()):
        self.batches.append(len(pictures))
        results = []
        beside = neighbours_of(neighbours, pictures, self.neighbours)
        for picture, state, (reference, _) in zip(pictures, states, beside, strict=True):
            seen = (state or 0) + 1
            shown = (reference or picture).arrays
            counted = Planes(tuple(a + seen for a in shown), picture.subsampling)
            results.append(Result(counted, seen, bool(picture.arrays[0].max() < 200)))
        return results


def picture(width, height, subsampling=(1, 1), seed=0):
    rng = np.random.default_rng(seed)
    chroma = chroma_size(width, height, subsampling)[::-1]
    shapes = [(height, width), chroma, chroma]
    return Planes(tuple(rng.integers(80, 120, s).astype(np.uint8) for s in shapes), subsampling)


def run(engine, pictures, states=None, neighbours=()):
    layout = geometry_of(pictures[0], ColorTags())
    return engine.run(pictures, states or [None] * len(pictures), layout, neighbours)


@pytest.mark.parametrize("subsampling", [(1, 1), (1, 0), (0, 0), (2, 2)])
@pytest.mark.parametrize("size", [(331, 277), (64, 500)])
def test_each_sample_comes_from_one_tile_and_each_tile_has_its_state(subsampling, size):
    engine = TiledEngine(Counting(), limits=StepLimits(100 * 100, 100 * 100), margin=16)
    streams = [picture(*size, subsampling, seed) for seed in (0, 1)]
    first = run(engine, streams)
    second = run(engine, streams, [first[0].state, None])
    for results, counts in ((first, (1, 1)), (second, (2, 1))):
        for before, after, count in zip(streams, results, counts, strict=True):
            for a, b in zip(before.arrays, after.planes.arrays, strict=True):
                np.testing.assert_array_equal(a + count, b)


def test_each_tile_has_its_part_of_the_neighbours():
    engine = TiledEngine(Counting(), limits=StepLimits(100 * 100, 100 * 100), margin=16)
    frames, others = [[picture(331, 277, seed=seed) for seed in pair] for pair in ((0, 1), (2, 3))]
    results = run(engine, frames, neighbours=[(others[0], None), (None, others[1])])
    for shown, result in zip((others[0], frames[1]), results, strict=True):
        for a, b in zip(shown.arrays, result.planes.arrays, strict=True):
            np.testing.assert_array_equal(a + 1, b)


def test_a_tile_without_numbers_makes_the_frame_so():
    engine = TiledEngine(Counting(), limits=StepLimits(100 * 100, 100 * 100), margin=16)
    bad = picture(300, 200)
    luma = bad.arrays[0].copy()
    luma[-1, -1] = 250
    spoilt = Planes((luma, *bad.arrays[1:]))
    assert [r.finite for r in run(engine, [bad, spoilt])] == [True, False]


@pytest.mark.parametrize(
    ("streams", "limit", "batches"),
    [(1, 1, [1]), (3, 1, [1, 1, 1]), (3, 10**6, [2, 1]), (7, 4 * 64 * 48, [4, 2, 1])],
)
def test_batches_are_parted_into_powers_of_two(streams, limit, batches):
    engine = Counting()
    pictures = [picture(64, 48, seed=seed) for seed in range(streams)]
    results = run(TiledEngine(engine, limits=StepLimits(10**6, limit)), pictures)
    assert engine.batches == batches
    for before, after in zip(pictures, results, strict=True):
        np.testing.assert_array_equal(before.arrays[0] + 1, after.planes.arrays[0])


def test_a_margin_off_the_grid_is_a_mistake():
    with pytest.raises(ValueError, match="multiple of 16"):
        TiledEngine(Counting(), margin=20)


def test_a_tiled_frame_is_the_whole_frame(tmp_path):
    """Within one code; beyond 128 samples this network sees nothing in a single frame."""
    weights = registry.load(save_random_weights(tmp_path / "random.npz")).causal()
    engine = KerasEngine(weights, Compute("cpu", "float32"))
    tiled = TiledEngine(engine, limits=StepLimits(400 * 290, 1), margin=128)
    wholes, tiles = [None], [None]
    for moment in range(3):
        frame = [picture(513, 287, seed=moment)]
        whole, part = run(engine, frame, wholes)[0], run(tiled, frame, tiles)[0]
        wholes, tiles = [whole.state], [part.state]
        assert len(part.state) == 2
        for a, b in zip(whole.planes.arrays, part.planes.arrays, strict=True):
            assert np.abs(a.astype(int) - b).max() <= 1
            assert (a != b).mean() < 0.001
    assert any((a != b).any() for a, b in zip(frame[0].arrays, whole.planes.arrays, strict=True))
