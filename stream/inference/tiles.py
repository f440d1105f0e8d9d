"""Steps of a bounded size: large frames in overlapping tiles, large batches in parts.

Owns where tiles lie and how their results are joined; works with any engine. What a step works on
should fit the caches of a CPU or the memory of a GPU.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from models.errors import is_out_of_memory
from models.network import MULTIPLE
from models.packing import Geometry
from stream.errors import ModelError
from stream.frame import Plane, Planes
from stream.inference.device import Compute
from stream.inference.engine import Engine, Neighbours, Result, State


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Luma samples of a step: of a frame that is computed whole, and of several in one batch."""

    frame: int
    batch: int


LIMITS = {"cpu": StepLimits(2048 * 1280, 1280 * 800), "gpu": StepLimits(4096 * 2304, 4096 * 2304)}
"""By device. On two cores with 32 MiB of cache, 4K in 2x2 tiles took 0.83 times as long as whole,
1080p in 2 tiles 1.16 times; batches of 2, 4 and 8 frames of 720p took 1.10, 1.29 and 1.38 times as
long per frame as one at a time. Those of GPUs are not measured."""

MARGIN = 64
"""Luma samples of context that a tile has beyond what is kept of it.

With 64, no sample of ten frames of real video through `tiny` was off by more than one code.
"""

TileStates: TypeAlias = tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A tile along one axis, in luma samples: what it sees, and what is kept of it."""

    start: int
    stop: int
    keep_start: int
    keep_stop: int


class TiledEngine:
    """Runs frames above a limit tile by tile, and batches above one in parts.

    Tiles are cut on the network's own grid, so that what is kept of one is as in the whole frame,
    but for what the network sees beyond the margin. Parts of a batch are powers of two, so that few
    sizes are compiled however streams come and go.

    Args:
        engine: Of any kind.
        limits: Of a step; otherwise what suits the engine's device.
        margin: Luma samples, a multiple of `MULTIPLE`.
    """

    def __init__(
        self, engine: Engine, *, limits: StepLimits | None = None, margin: int = MARGIN
    ) -> None:
        if margin < MULTIPLE or margin % MULTIPLE:
            raise ValueError(f"margin is {margin}: a multiple of {MULTIPLE} is needed")
        self.engine = engine
        self._limits = limits or LIMITS[engine.compute.device]
        self._margin = margin

    @property
    def name(self) -> str:
        """Of the model."""
        return self.engine.name

    @property
    def identity(self) -> str:
        """What the output depends on."""
        return self.engine.identity

    @property
    def compute(self) -> Compute:
        """The device and precision in use."""
        return self.engine.compute

    @property
    def neighbours(self) -> int:
        """How many it makes use of."""
        return self.engine.neighbours

    @property
    def aligned(self) -> bool:
        """See `Engine.aligned`."""
        return self.engine.aligned

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[TileStates | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """See `Engine.run`; a tiled frame's state is that of each tile, in reading order."""
        height, width = geometry.shapes[0]
        rows, columns = spans(height, width, self._limits.frame, self._margin)
        if len(rows) == len(columns) == 1:
            return self._in_parts(pictures, states, geometry, neighbours)
        tiles = list(product(rows, columns))
        results = []
        for index, (row, column) in enumerate(tiles):
            parts = [_cut(picture, row, column) for picture in pictures]
            given = [state[index] if state else None for state in states]
            shapes = tuple(array.shape for array in parts[0].arrays)
            tile = dataclasses.replace(geometry, shapes=shapes)
            beside = [
                tuple(each and _cut(each, row, column) for each in those) for those in neighbours
            ]
            results.append(self._in_parts(parts, given, tile, beside))
        return [
            Result(
                _joined(picture, tiles, [result.planes for result in done]),
                tuple(result.state for result in done),
                all(result.finite for result in done),
            )
            for picture, done in zip(pictures, zip(*results, strict=True), strict=True)
        ]

    def _in_parts(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours],
    ) -> list[Result]:
        height, width = geometry.shapes[0]
        most = max(1, self._limits.batch // (height * width))
        results: list[Result] = []
        while len(results) < len(pictures):
            left = min(most, len(pictures) - len(results))
            part = slice(len(results), len(results) + (1 << left.bit_length() - 1))
            beside = neighbours[part]
            results += self._step(pictures[part], states[part], geometry, beside)
        return results

    def _step(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours],
    ) -> list[Result]:
        try:
            return self.engine.run(pictures, states, geometry, neighbours)
        except Exception as error:  # the runtimes' kinds of errors have no base in common
            if not is_out_of_memory(error):
                raise
            height, width = geometry.shapes[0]
            device = self.compute.device
            other = "a lighter --model or --device cpu" if device == "gpu" else "a lighter --model"
            raise ModelError(
                f"{self.name} has too little memory for {len(pictures)} x {width}x{height} on the "
                f"{device.upper()}: close what else uses it, or choose {other}"
            ) from error


def spans(height: int, width: int, limit: int, margin: int) -> tuple[list[Span], list[Span]]:
    """The rows and columns of the fewest tiles, all of one size, of at most `limit` samples.

    More where even the smallest tile, which keeps as much as it has of margin, is above the limit.
    """
    counts = [1, 1]
    while True:
        rows, columns = (_spans(n, k, margin) for n, k in zip((height, width), counts, strict=True))
        sides = rows[0].stop - rows[0].start, columns[0].stop - columns[0].start
        axis = 0 if sides[0] > sides[1] else 1
        if sides[0] * sides[1] <= limit or sides[axis] <= 4 * margin:
            return rows, columns
        counts[axis] += 1


def _spans(length: int, count: int, margin: int) -> list[Span]:
    """`count` equal tiles over `length`: starts and seams are multiples of `MULTIPLE`."""
    if count == 1:
        return [Span(0, length, 0, length)]
    step = max(1, (length - 2 * margin) // count // MULTIPLE) * MULTIPLE
    size = length - (count - 1) * step
    starts = [index * step for index in range(count)]
    middle = (size - step) // 2 // MULTIPLE * MULTIPLE
    seams = [0, *(start + middle for start in starts[1:]), length]
    return [
        Span(start, start + size, *seams[index : index + 2]) for index, start in enumerate(starts)
    ]


def _cut(picture: Planes, row: Span, column: Span) -> Planes:
    arrays = [
        plane[_scaled(row.start, row.stop, y), _scaled(column.start, column.stop, x)].copy()
        for plane, (y, x) in zip(picture.arrays, _reductions(picture), strict=True)
    ]
    return Planes(tuple(arrays), picture.subsampling, picture.bit_depth)


def _joined(picture: Planes, tiles: Sequence[tuple[Span, Span]], parts: Sequence[Planes]) -> Planes:
    arrays: list[Plane] = [plane.copy() for plane in picture.arrays]
    for (row, column), part in zip(tiles, parts, strict=True):
        for whole, piece, (y, x) in zip(arrays, part.arrays, _reductions(picture), strict=True):
            whole[
                _scaled(row.keep_start, row.keep_stop, y),
                _scaled(column.keep_start, column.keep_stop, x),
            ] = piece[
                _scaled(row.keep_start - row.start, row.keep_stop - row.start, y),
                _scaled(column.keep_start - column.start, column.keep_stop - column.start, x),
            ]
    return Planes(tuple(arrays), picture.subsampling, picture.bit_depth)


def _reductions(picture: Planes) -> list[tuple[int, int]]:
    """log2 of the vertical and horizontal reduction of each plane."""
    x, y = picture.subsampling
    return [(0, 0), (y, x), (y, x)][: len(picture.arrays)]


def _scaled(start: int, stop: int, shift: int) -> slice:
    """Luma samples to those of a plane of this reduction; rounded up, as codecs do."""
    return slice(start >> shift, -(-stop >> shift))
