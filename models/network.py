"""The architecture: a causal recurrent encoder-decoder on YUV planes.

One frame costs one pass: the frame, the frame before it and a hidden state go in; the residual of
the frame and the next state come out. Nothing works above a quarter of the frame's resolution.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from models import planes as yuv
from models.blocks import NEGATIVE_SLOPE, ResidualBlock, convolution
from models.planes import Array, Levels

LEVELS = 3
"""Resolutions of the trunk: 1/4, 1/8 and 1/16 of the frame."""

MULTIPLE = yuv.PATCH << (LEVELS - 1)
"""Frame sides are padded to a multiple of this many pixels."""

RESIDUAL_SCALE = 0.1
"""Gain of the output head: nominal residuals are small, and a full-scale head wrecks the start."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The size of a network.

    Attributes:
        widths: channels at 1/4, 1/8 and 1/16 resolution.
        encoder: residual blocks on the way down, per resolution; the last is the bottom.
        decoder: residual blocks on the way up at 1/4, where there may be none, and 1/8 resolution.
        hidden: channels of the recurrent state, at 1/8 resolution.
        filters: linear filters of the frame that the trunk mixes, position by position.
    """

    widths: tuple[int, int, int]
    encoder: tuple[int, int, int]
    decoder: tuple[int, int]
    hidden: int
    filters: int

    def __post_init__(self) -> None:
        if min(*self.widths, *self.encoder, self.decoder[1], self.hidden, self.filters) < 1:
            raise ValueError(f"every size in {self} must be at least 1")
        if self.hidden > self.widths[1]:
            raise ValueError(f"hidden is {self.hidden}, above the {self.widths[1]} of widths[1]")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "NetworkConfig":
        """The inverse of `to_json`; raises TypeError or ValueError on other fields."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()
        }
        return cls(**values)


class State(NamedTuple):
    """What a stream carries from frame to frame: `initial_state` makes a fresh one.

    Attributes:
        previous: (N, H/4, W/4, 24) features of the frame before, zeros at the start.
        hidden: (N, H/8, W/8, hidden) within [-1, 1], zeros at the start.
    """

    previous: Array
    hidden: Array


def build(
    config: NetworkConfig, height: int | None = None, width: int | None = None
) -> keras.Model:
    """The network for any batch, and for any frame size unless one is given, in pixels.

    Inputs: features (N, h, w, 24), previous (N, h, w, 24), hidden (N, h/2, w/2, hidden), with h
    and w multiples of 4. Outputs: residual features (N, h, w, 24), the next hidden state.
    """
    quarter, eighth, sixteenth = config.widths
    size4 = (height and height // 4, width and width // 4)
    size8 = (height and height // 8, width and width // 8)
    features = keras.Input((*size4, yuv.CHANNELS), name="features")
    previous = keras.Input((*size4, yuv.CHANNELS), name="previous")
    hidden = keras.Input((*size8, config.hidden), name="hidden")

    x = convolution(quarter, "stem")(ops.concatenate([features, previous], axis=-1))
    x = _blocks(x, quarter, config.encoder[0], "encoder4")
    skip4 = x
    x = convolution(eighth, "down8", strides=2)(x)
    x = ResidualBlock(eighth, name="fuse")([x, hidden])
    x = _blocks(x, eighth, config.encoder[1] - 1, "encoder8")
    skip8 = x
    x = convolution(sixteenth, "down16", strides=2)(x)
    x = _blocks(x, sixteenth, config.encoder[2], "bottom")
    x = skip8 + _upsample(x, eighth, "up8")
    x = _blocks(x, eighth, config.decoder[1], "decoder8")
    next_hidden = ops.tanh(x[..., : config.hidden])
    x = skip4 + _upsample(x, quarter, "up4")
    x = _blocks(x, quarter, config.decoder[0], "decoder4")
    # Undoing blur is a linear filter that differs from place to place: the trunk only has to tell
    # which, not to carry the picture. It gained a quarter more at equal steps (docs/training.md).
    bank = convolution(config.filters, "bank")(features)
    choice = keras.layers.Conv2D(config.filters, 1, name="choice")(
        ops.leaky_relu(x, NEGATIVE_SLOPE)
    )
    residual = convolution(yuv.CHANNELS, "head", zero=True)(bank * choice)
    return keras.Model([features, previous, hidden], [RESIDUAL_SCALE * residual, next_hidden])


def _blocks(x: Any, filters: int, count: int, name: str) -> Any:
    for index in range(count):
        x = ResidualBlock(filters, name=f"{name}_{index}")(x)
    return x


def _upsample(x: Any, filters: int, name: str) -> Any:
    x = keras.layers.Conv2D(filters, 1, name=name)(x)
    return keras.layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_nearest")(x)


def initial_state(config: NetworkConfig, batch: int, height: int, width: int) -> State:
    """A fresh float32 state for frames of this size, in pixels, which need not be multiples."""
    rows = yuv.padded_length(height, MULTIPLE) // yuv.PATCH
    columns = yuv.padded_length(width, MULTIPLE) // yuv.PATCH
    return State(
        np.zeros((batch, rows, columns, yuv.CHANNELS), np.float32),
        np.zeros((batch, rows // 2, columns // 2, config.hidden), np.float32),
    )


def frame_features(y: Array, u: Array, v: Array, levels: Levels, dtype: str, xp: Any) -> Array:
    """Code values of whole 4:2:0 frames to padded, normalised features.

    y: (N, H, W); u, v: (N, ceil(H/2), ceil(W/2)); any size. Returns (N, h, w, 24) of `dtype` with
    sides padded to `MULTIPLE` by repeating the border.
    """
    height = yuv.padded_length(y.shape[1], MULTIPLE)
    width = yuv.padded_length(y.shape[2], MULTIPLE)
    packed = yuv.pack(
        yuv.pad_plane(y, height, width, xp),
        yuv.pad_plane(u, height // 2, width // 2, xp),
        yuv.pad_plane(v, height // 2, width // 2, xp),
        xp,
    )
    offset, scale = yuv.channel_levels(levels)
    if xp is np:
        return ((packed - offset) / scale).astype(dtype)
    return ops.cast((ops.cast(packed, "float32") - offset) / scale, dtype)


def residual_planes(
    features: Array, height: int, width: int, levels: Levels, xp: Any
) -> tuple[Array, Array, Array]:
    """Residual features to float32 residuals of the code values of each plane.

    Returns (N, H, W) and twice (N, ceil(H/2), ceil(W/2)): the padding is cut off.
    """
    _, scale = yuv.channel_levels(levels)
    values = features.astype(np.float32) if xp is np else ops.cast(features, "float32")
    y, u, v = yuv.unpack(values * scale, xp)
    rows, columns = yuv.chroma_shape(height, width)
    return y[:, :height, :width], u[:, :rows, :columns], v[:, :rows, :columns]


def cost_gmac(config: NetworkConfig, height: int = 720, width: int = 1280) -> float:
    """Multiply-accumulates of one frame, in units of 10^9, counted from the built layers."""
    padded = yuv.padded_length(height, MULTIPLE), yuv.padded_length(width, MULTIPLE)
    total = 0
    for layer in build(config, *padded).layers:
        parts = [layer.first, layer.second] if isinstance(layer, ResidualBlock) else [layer]
        _, rows, columns, _ = layer.output.shape
        total += sum(
            int(np.prod(part.kernel.shape)) * rows * columns
            for part in parts
            if isinstance(part, keras.layers.Conv2D)
        )
    return total / 1e9
