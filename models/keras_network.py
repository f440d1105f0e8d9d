"""The network in Keras: to train, to compute on TensorFlow, and to hold other runtimes against."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from models import planes as yuv
from models import registry
from models.blocks import ResidualBlock, convolution
from models.errors import WeightsError
from models.network import GATES, LOOK_AHEAD, NEGATIVE_SLOPE, NetworkConfig, connect
from models.registry import Weights
from models.runtimes import tensorflow


@dataclass(frozen=True, slots=True)
class Model:
    """A Keras network with trained weights.

    Attributes:
        name: the registry's name, or the file's stem.
        config: its size.
        neighbours: that it is given, `CAUSAL` or `LOOK_AHEAD`.
        network: see `build`.
    """

    name: str
    config: NetworkConfig
    neighbours: int
    network: keras.Model


@contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Have layers that are made in the block compute by this dtype policy of Keras."""
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(usual)


def build(
    config: NetworkConfig,
    height: int | None = None,
    width: int | None = None,
    *,
    neighbours: int = LOOK_AHEAD,
) -> keras.Model:
    """The network for any batch, and for any frame size unless one is given, in pixels.

    Inputs: frames (N, h, w, 24 * (1 + neighbours)) as `models.network.connect` takes them, hidden
    (N, h/2, w/2, hidden), with h and w multiples of 4. Outputs: residual features (N, h, w, 24),
    the next hidden state.
    """
    if keras.backend.backend() == "tensorflow":
        tensorflow()  # whoever has imported it, it must leave the graph as it is
    size4 = (height and height // 4, width and width // 4)
    size8 = (height and height // 8, width and width // 8)
    frames = keras.Input((*size4, yuv.CHANNELS * (1 + neighbours)), name="frames")
    hidden = keras.Input((*size8, config.hidden), name="hidden")
    outputs = connect(config, _KerasLayers(), frames, hidden, neighbours)
    return keras.Model([frames, hidden], list(outputs))


class _KerasLayers:
    """See `models.network.Layers`; the channels come last."""

    def convolution(
        self, x: Any, filters: int, name: str, *, side: int = 3, stride: int = 1
    ) -> Any:
        if side == 1:
            start = "zeros" if name in GATES else "glorot_uniform"
            return keras.layers.Conv2D(filters, 1, name=name, kernel_initializer=start)(x)
        # a fresh network changes nothing
        return convolution(filters, name, strides=stride, zero=name == "head")(x)

    def block(self, x: Any, name: str, context: Any = None) -> Any:
        return ResidualBlock(x.shape[-1], name=name)(x if context is None else [x, context])

    def activation(self, x: Any) -> Any:
        return ops.leaky_relu(x, NEGATIVE_SLOPE)

    def join(self, parts: Sequence[Any]) -> Any:
        return ops.concatenate(parts, axis=-1)

    def channels(self, x: Any, start: int, stop: int) -> Any:
        return x[..., start:stop]

    def upsample(self, x: Any) -> Any:
        return keras.layers.UpSampling2D(2, interpolation="nearest")(x)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def multiply(self, a: Any, b: Any) -> Any:
        return a * b

    def tanh(self, x: Any) -> Any:
        return ops.tanh(x)


def load(name: str) -> Model:
    """Build a model by its registry name or its weights file; WeightsError if that fails."""
    return assembled(registry.load(name))


def assembled(weights: Weights) -> Model:
    """The network of these weights; WeightsError if they don't fit its configuration."""
    network = build(weights.config, neighbours=weights.neighbours)
    assign(network, weights.arrays, weights.path)
    return Model(weights.name, weights.config, weights.neighbours, network)


def assign(network: keras.Model, arrays: Mapping[str, np.ndarray], source: Path) -> None:
    """Fill a network's weights; WeightsError unless names and shapes match exactly."""
    variables = {variable.path: variable for variable in network.weights}
    if variables.keys() != arrays.keys():
        raise WeightsError(f"{source} holds the weights of another architecture")
    for key, variable in variables.items():
        if tuple(variable.shape) != arrays[key].shape:
            raise WeightsError(f"{source}: {key} is {arrays[key].shape}, not {variable.shape}")
        variable.assign(arrays[key].astype(np.float32))


def save_weights(path: Path, config: NetworkConfig, network: keras.Model) -> None:
    """Write a network's weights file, whole or not at all."""
    arrays = {v.path: ops.convert_to_numpy(v.value) for v in network.weights}
    registry.write_weights(path, config, arrays)
