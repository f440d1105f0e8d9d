"""The engine on MNN: this project's networks in float32 on a CPU."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.metadata import version

import numpy as np

from models import registry
from models.errors import ModelsError
from models.mnn_network import MnnNetwork
from models.planes import Levels, channel_levels
from models.runtimes import available_cores
from stream.errors import ModelError
from stream.frame import Plane, Planes
from stream.inference import view
from stream.inference.device import Compute
from stream.inference.engine import Geometry, Result, State, all_finite
from stream.inference.packing import grid, pack, unpack
from stream.inference.runtime_engine import SIZES_KEPT

LEAST_THREADS = 2
"""On one, MNN cuts its Winograd tiles otherwise: the same frame would differ between machines."""


class MnnEngine:
    """A network with trained weights, made ready on first use for each frame size."""

    def __init__(self, model: str) -> None:
        try:
            self._weights = registry.load(model)
        except ModelsError as error:
            raise ModelError(str(error)) from error
        self.name = self._weights.name
        self.compute = Compute("cpu", "float32", "mnn")
        digest = hashlib.sha256(self._weights.path.read_bytes()).hexdigest()
        self.identity = f"{digest} float32 MNN {version('MNN')}"
        self._network = lru_cache(SIZES_KEPT)(
            partial(MnnNetwork, self._weights, threads=max(LEAST_THREADS, available_cores()))
        )

    def run(
        self, pictures: Sequence[Planes], states: Sequence[State | None], geometry: Geometry
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, one after the other."""
        try:
            network = self._network(*geometry.shapes[0])
        except ModelsError as error:
            raise ModelError(str(error)) from error
        results = []
        for picture, state in zip(pictures, states, strict=True):
            packed = pack([picture], geometry)
            residual, state = network(_features(packed, geometry), state)
            finite = all_finite(residual)
            if finite:
                picture = unpack(_corrected(packed, residual, geometry), geometry)[0]
            results.append(Result(picture, state, finite))
        return results


def _features(packed: Plane, geometry: Geometry) -> np.ndarray:
    """See `view.features`; 4:2:0 is worked on in whole rows, which NumPy does much faster."""
    if not geometry.is_420:
        return np.asarray(view.features(packed.astype(np.float32), geometry, np))
    offset, scale = _rows_of_levels(geometry)
    made: np.ndarray = _rows(packed) - offset
    made /= scale
    return made.reshape(packed.shape)


def _corrected(packed: Plane, residual: np.ndarray, geometry: Geometry) -> Plane:
    """See `view.corrected`; the residual's memory is worked in."""
    if not geometry.is_420:
        values = packed.astype(np.float32)
        return np.asarray(view.corrected(values, residual, geometry, np)).astype(geometry.dtype)
    _, scale = _rows_of_levels(geometry)
    changed = _rows(residual)
    changed *= scale
    changed += _rows(packed)
    np.rint(changed, out=changed)
    np.clip(changed, 0, Levels(geometry.bit_depth).peak, out=changed)
    return changed.reshape(packed.shape).astype(geometry.dtype)


def _rows(values: np.ndarray) -> np.ndarray:
    """(1, h, w, 24) as (h, 24 w): the same memory."""
    return values.reshape(values.shape[1], -1)


@lru_cache(SIZES_KEPT)
def _rows_of_levels(geometry: Geometry) -> list[np.ndarray]:
    """Offset and scale of each value of a row."""
    levels = Levels(geometry.bit_depth, geometry.full_range)
    return [np.tile(each, grid(geometry)[1]) for each in channel_levels(levels)]
