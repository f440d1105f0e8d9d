"""The engine on TensorFlow: this project's networks as compiled steps.

One pure function per geometry, traced once. State stays on the device.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from models.errors import WeightsError
from models.keras_network import computing_in, load
from models.network import State, initial_state
from models.registry import weights_path
from stream.errors import ModelError
from stream.frame import Planes
from stream.inference import yuv420
from stream.inference.device import Compute, prepare_tensorflow
from stream.inference.engine import SIZES_KEPT, Geometry, Result
from stream.inference.packing import pack, unpack

Step: TypeAlias = Callable[[Any, State], tuple[Any, State, Any]]
"""Packed pictures and state to corrected pictures, state, and whether each is finite."""


class KerasEngine:
    """A network with trained weights, compiled on first use for each geometry and batch size.

    Args:
        model: see `stream.inference.engines.open_engine`.
        compute: what to compute on.
        xla: have XLA compile what a GPU computes, which takes it 2 to 4 s for each of those.
    """

    def __init__(self, model: str, compute: Compute, *, xla: bool = True) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ModelError(
                f"the engine runs on TensorFlow, not {keras.backend.backend()}: unset KERAS_BACKEND"
            )
        prepare_tensorflow(compute)
        try:
            with computing_in(compute.precision):
                self.model = load(model)
        except WeightsError as error:
            raise ModelError(str(error)) from error
        self.name = self.model.name
        self.compute = compute
        self._xla = xla and compute.device == "gpu"
        weights = hashlib.sha256(weights_path(model).read_bytes()).hexdigest()
        self.identity = (
            f"{weights} {compute.device} {compute.precision} TensorFlow {tf.__version__}"
        )
        self._ready = lru_cache(SIZES_KEPT)(self._compiled)

    def run(
        self, pictures: Sequence[Planes], states: Sequence[State | None], geometry: Geometry
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, as one batch."""
        step, fresh = self._ready(geometry)
        state = _joined([state or fresh for state in states])
        packed, state, finite = step(pack(pictures, geometry), state)
        return [
            Result(planes, part, bool(ok))
            for planes, part, ok in zip(
                unpack(packed.numpy(), geometry), _parted(state), finite.numpy(), strict=True
            )
        ]

    def _initial(self, geometry: Geometry) -> State:
        state = initial_state(self.model.config, 1, *geometry.shapes[0])
        return State(*(tf.constant(part, self.compute.precision) for part in state))

    def _compiled(self, geometry: Geometry) -> tuple[Step, State]:
        """The step, and the state of a stream's first frame."""
        network, dtype = self.model.network, self.compute.precision

        def step(packed: Any, state: State) -> tuple[Any, State, Any]:
            values = tf.cast(packed, "float32")
            current = tf.cast(yuv420.features(values, geometry, keras.ops), dtype)
            residual, hidden = network([current, state.previous, state.hidden])
            residual = tf.cast(residual, "float32")
            # one number that is none makes the sum none, in half the time of looking at each
            finite = tf.math.is_finite(tf.reduce_sum(residual, axis=(1, 2, 3)))
            out = yuv420.corrected(values, residual, geometry, keras.ops)
            return tf.cast(out, packed.dtype), State(current, hidden), finite

        compiled: Step = tf.function(
            step, jit_compile=self._xla, autograph=False, reduce_retracing=False
        )
        return compiled, self._initial(geometry)


def _joined(states: Sequence[State]) -> State:
    if len(states) == 1:
        return states[0]
    return State(*(tf.concat(parts, 0) for parts in zip(*states, strict=True)))


def _parted(state: State) -> list[State]:
    count = state.previous.shape[0]
    if count == 1:
        return [state]
    return [State(*parts) for parts in zip(*(tf.split(s, count) for s in state), strict=True)]
