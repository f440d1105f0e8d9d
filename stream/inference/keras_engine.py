"""The engine on TensorFlow: this project's networks as compiled steps.

One pure function per geometry, traced once. State stays on the device.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from models.keras_network import assembled, computing_in
from models.network import fresh_hidden
from models.packing import Geometry, corrected, features, pack, unpack
from models.registry import Weights
from stream.errors import ModelError
from stream.frame import Planes
from stream.inference.device import Compute, prepare_tensorflow
from stream.inference.engine import (
    SIZES_KEPT,
    Neighbours,
    Result,
    State,
    neighbours_of,
    picture_of,
)

Step: TypeAlias = Callable[[Any, list[Any], Any], tuple[Any, Any, Any]]
"""Packed pictures, packed neighbours and hidden states to corrected pictures, hidden states, and
whether each is finite."""


class KerasEngine:
    """A network with trained weights, compiled on first use for each geometry and batch size.

    Args:
        weights: of the network, which has as many neighbours as they tell.
        compute: what to compute on.
        xla: have XLA compile what a GPU computes, which takes it 2 to 4 s for each of those.
    """

    def __init__(self, weights: Weights, compute: Compute, *, xla: bool = True) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ModelError(
                f"the engine runs on TensorFlow, not {keras.backend.backend()}: unset KERAS_BACKEND"
            )
        prepare_tensorflow(compute)
        with computing_in(compute.precision):
            self.model = assembled(weights)
        self.name = self.model.name
        self.neighbours, self.aligned = self.model.neighbours, weights.aligned
        self.compute = compute
        self._xla = xla and compute.device == "gpu"
        device = f"{compute.device} {compute.precision}"
        self.identity = f"{weights.digest} {device} TensorFlow {tf.__version__}"
        self._ready = lru_cache(SIZES_KEPT)(self._compiled)

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, as one batch."""
        step, fresh = self._ready(geometry)
        hidden = _joined([fresh if state is None else state for state in states])
        beside = neighbours_of(neighbours, pictures, self.neighbours)
        packed = pack([picture.arrays for picture in pictures], geometry)
        others = [
            # a frame that differs from itself by nothing stands for a neighbour that is not there
            pack(
                [(each or own).arrays for each, own in zip(those, pictures, strict=True)], geometry
            )
            for those in zip(*beside, strict=True)
        ]
        made, hidden, finite = step(packed, others, hidden)
        return [
            Result(picture_of(planes, geometry), part, bool(ok))
            for planes, part, ok in zip(
                unpack(made.numpy(), geometry), _parted(hidden), finite.numpy(), strict=True
            )
        ]

    def _compiled(self, geometry: Geometry) -> tuple[Step, Any]:
        """The step, and the hidden state of a stream's first frame."""
        network, dtype = self.model.network, self.compute.precision

        def step(packed: Any, others: list[Any], hidden: Any) -> tuple[Any, Any, Any]:
            values = tf.cast(packed, "float32")
            current = features(values, geometry, keras.ops)
            changes = [
                features(tf.cast(other, "float32"), geometry, keras.ops) - current
                for other in others
            ]
            frames = tf.cast(tf.concat([current, *changes], -1), dtype)
            residual, hidden = network([frames, hidden])
            residual = tf.cast(residual, "float32")
            # one number that is none makes the sum none, in half the time of looking at each
            finite = tf.math.is_finite(tf.reduce_sum(residual, axis=(1, 2, 3)))
            out = corrected(values, residual, geometry, keras.ops)
            return tf.cast(out, packed.dtype), hidden, finite

        compiled: Step = tf.function(
            step, jit_compile=self._xla, autograph=False, reduce_retracing=False
        )
        fresh = fresh_hidden(self.model.config, 1, *geometry.shapes[0])
        return compiled, tf.constant(fresh, dtype)


def _joined(states: Sequence[Any]) -> Any:
    return states[0] if len(states) == 1 else tf.concat(states, 0)


def _parted(states: Any) -> list[Any]:
    count = states.shape[0]
    return [states] if count == 1 else tf.split(states, count)
