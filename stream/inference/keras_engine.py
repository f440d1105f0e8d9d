"""The engine on TensorFlow: this project's networks as compiled steps.

One pure function per geometry, traced once. State stays on the device.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from models import registry
from models.errors import WeightsError
from models.network import State, frame_features, initial_state, residual_planes
from models.planes import Levels
from stream.errors import ModelError
from stream.frame import Planes
from stream.inference.device import Compute
from stream.inference.engine import Geometry, Result
from stream.inference.view import corrected, view420

Step: TypeAlias = Callable[..., tuple[list[Any], State, Any]]


class KerasEngine:
    """A network with trained weights, compiled on first use for each geometry and batch size."""

    def __init__(self, model: str, compute: Compute) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ModelError(
                f"the engine runs on TensorFlow, not {keras.backend.backend()}: unset KERAS_BACKEND"
            )
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(compute.precision)
        try:
            self.model = registry.load(model)
        except WeightsError as error:
            raise ModelError(str(error)) from error
        finally:
            keras.config.set_dtype_policy(before)
        self.name = self.model.name
        self.compute = compute
        weights = hashlib.sha256(registry.weights_path(model).read_bytes()).hexdigest()
        self.identity = (
            f"{weights} {compute.device} {compute.precision} TensorFlow {tf.__version__}"
        )
        self._steps: dict[Geometry, Step] = {}

    def run(
        self, pictures: Sequence[Planes], states: Sequence[State | None], geometry: Geometry
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, as one batch."""
        count = len(pictures)
        stacked = [
            np.stack([picture.arrays[index] for picture in pictures])
            for index in range(len(geometry.shapes))
        ]
        fresh = self._fresh(geometry)
        given = [state or fresh for state in states]
        joined = given[0] if count == 1 else _joined(given)
        planes, state, finite = self._step(geometry)(stacked, joined)
        arrays = [plane.numpy() for plane in planes]
        parts = [state] if count == 1 else _parted(state, count)
        return [
            Result(
                Planes(
                    tuple(array[index] for array in arrays),
                    geometry.subsampling,
                    geometry.bit_depth,
                ),
                parts[index],
                bool(finite[index]),
            )
            for index in range(count)
        ]

    def _fresh(self, geometry: Geometry) -> State:
        state = initial_state(self.model.config, 1, *geometry.shapes[0])
        return State(*(tf.constant(part, self.compute.precision) for part in state))

    def _step(self, geometry: Geometry) -> Step:
        if geometry not in self._steps:
            self._steps[geometry] = self._compiled(geometry)
        return self._steps[geometry]

    def _compiled(self, geometry: Geometry) -> Step:
        levels = Levels(geometry.bit_depth, geometry.full_range)
        height, width = geometry.shapes[0]
        network, dtype = self.model.network, self.compute.precision

        def step(planes: list[Any], state: State) -> tuple[list[Any], State, Any]:
            y, u, v = view420(planes, geometry.subsampling, levels, rgb=geometry.rgb)
            features = frame_features(y, u, v, levels, dtype, keras.ops)
            residual, hidden = network([features, state.previous, state.hidden])
            finite = tf.reduce_all(tf.math.is_finite(residual), axis=(1, 2, 3))
            changes = residual_planes(residual, height, width, levels, keras.ops)
            out = corrected(planes, changes, geometry.subsampling, levels, rgb=geometry.rgb)
            return out, State(features, hidden), finite

        compiled: Step = tf.function(
            step, jit_compile=self.compute.device == "gpu", autograph=False, reduce_retracing=False
        )
        return compiled


def _joined(states: Sequence[State]) -> State:
    return State(*(tf.concat(parts, 0) for parts in zip(*states, strict=True)))


def _parted(state: State, count: int) -> list[State]:
    return [State(*parts) for parts in zip(*(tf.split(s, count) for s in state), strict=True)]
