"""The engine on MNN: this project's networks in float32 on a CPU."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.metadata import version

from models import registry
from models.errors import ModelsError
from models.mnn_network import MnnNetwork
from models.packages import require
from models.runtimes import available_cores
from stream.errors import ModelError
from stream.frame import Planes
from stream.inference.channel_groups import samples_of
from stream.inference.device import Compute
from stream.inference.engine import (
    SIZES_KEPT,
    Geometry,
    Neighbours,
    Result,
    State,
    all_finite,
    neighbours_of,
)

LEAST_THREADS = 2
"""On one, MNN cuts its Winograd tiles otherwise: the same frame would differ between machines."""


class MnnEngine:
    """A network with trained weights, made ready on first use for each frame size.

    Args:
        model: see `stream.inference.engines.open_engine`.
        single_thread, look_ahead: see `open_engine`.
    """

    def __init__(
        self, model: str, *, single_thread: bool = False, look_ahead: bool = False
    ) -> None:
        try:
            require("MNN")
            weights = registry.load(model)
        except ModelsError as error:
            raise ModelError(str(error)) from error
        self._weights = weights if look_ahead else weights.causal()
        self.neighbours, self.aligned = self._weights.neighbours, self._weights.aligned
        self.name = self._weights.name
        self.compute = Compute("cpu", "float32", "mnn")
        digest = hashlib.sha256(self._weights.path.read_bytes()).hexdigest()
        self.identity = f"{digest} float32 MNN {version('MNN')}" + single_thread * " single"
        threads = 1 if single_thread else max(LEAST_THREADS, available_cores())
        self._network = lru_cache(SIZES_KEPT)(partial(MnnNetwork, self._weights, threads=threads))

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, one after the other."""
        try:
            network = self._network(*geometry.shapes[0])
        except ModelsError as error:
            raise ModelError(str(error)) from error
        results = []
        beside = neighbours_of(neighbours, pictures, self.neighbours)
        for picture, before, those in zip(pictures, states, beside, strict=True):
            state = network.fresh_state() if before is None else before
            samples = samples_of(picture, geometry)
            features, *changes = network.frames
            samples.write_features(features)
            for neighbour, change in zip(those, changes, strict=True):
                if neighbour is None:
                    change[...] = 0
                else:
                    samples_of(neighbour, geometry).write_change(samples, change)
            residual = network(state)
            finite = all_finite(residual)
            results.append(
                Result(samples.corrected(residual) if finite else picture, state, finite)
            )
        return results
