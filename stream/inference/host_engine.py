"""The engine on runtimes of a CPU: packs features in NumPy, computes one frame after the other."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from models.grouped import samples_of
from models.networks.host import HostNetwork
from models.packing import Geometry
from models.registry import Weights
from stream.frame import Planes
from stream.inference.device import Compute
from stream.inference.engine import (
    SIZES_KEPT,
    Neighbours,
    Result,
    State,
    all_finite,
    neighbours_of,
    picture_of,
)


class HostEngine:
    """A network with trained weights, made ready on first use for each frame size.

    Args:
        weights: of the network, which has as many neighbours as they tell.
        compute: what computes, and how precisely.
        identity: see `stream.inference.engine.Engine`.
        open_network: makes the network ready for frames of a height and width.
    """

    def __init__(
        self,
        weights: Weights,
        compute: Compute,
        identity: str,
        open_network: Callable[[int, int], HostNetwork],
    ) -> None:
        self.name = weights.name
        self.neighbours, self.aligned = weights.neighbours, weights.aligned
        self.compute = compute
        self.identity = identity
        self._network = lru_cache(SIZES_KEPT)(open_network)

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, one after the other."""
        height, width = geometry.shapes[0]
        network = self._network(height, width)
        results = []
        beside = neighbours_of(neighbours, pictures, self.neighbours)
        for picture, before, those in zip(pictures, states, beside, strict=True):
            state = network.fresh_state() if before is None else before
            samples = samples_of(picture.arrays, geometry)
            features, *changes = network.frames
            samples.write_features(features)
            for neighbour, change in zip(those, changes, strict=True):
                if neighbour is None:
                    change[...] = 0
                else:
                    samples_of(neighbour.arrays, geometry).write_change(samples, change)
            residual = network(state)
            finite = all_finite(residual)
            made = picture_of(samples.corrected(residual), geometry) if finite else picture
            results.append(Result(made, state, finite))
        return results
