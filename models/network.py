"""The architecture: a recurrent encoder-decoder on YUV planes that looks at aligned neighbours.

One frame costs one pass: the frame, what its neighbours show at the same places and a hidden state
go in; the residual of the frame and the next hidden state come out. Nothing works above a quarter
of the frame's resolution. `models.alignment` makes the neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from models import planes as yuv

LEVELS = 3
"""Resolutions of the trunk: 1/4, 1/8 and 1/16 of the frame."""

MULTIPLE = yuv.PATCH << (LEVELS - 1)
"""Frame sides are padded to a multiple of this many pixels."""

NEGATIVE_SLOPE = 0.1
"""Of the activations, below zero."""

LUMA = 16
"""Feature channels of one frame that are luma; they come first."""

CAUSAL, LOOK_AHEAD = 1, 2
"""Neighbours that a network is given: the reference, made of the frame before; the next frame too.

The same weights serve both: a neighbour that is not there differs from the frame by nothing, so
the parts of the network that read it can be left out (`causal_arrays`)."""

GATES = ("gate_reference", "gate_following")
"""The layer of each neighbour that says how much of it is taken, channel by channel."""

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


class Layers(Protocol):
    """What the architecture is made of: Keras layers to train with, nodes of a file to run.

    Tensors have the channels on an axis of their own, first or last as the implementation wants.
    """

    def convolution(
        self, x: Any, filters: int, name: str, *, side: int = 3, stride: int = 1
    ) -> Any:
        """A convolution with bias, zero-padded to keep the size but for the stride."""
        ...

    def block(self, x: Any, name: str, context: Any = None) -> Any:
        """X + second(act(first(act([x, context])))), both 3x3 convolutions of x's channels."""
        ...

    def activation(self, x: Any) -> Any:
        """A leaky ReLU of slope `NEGATIVE_SLOPE`."""
        ...

    def join(self, parts: Sequence[Any]) -> Any:
        """Tensors joined along their channels."""
        ...

    def channels(self, x: Any, start: int, stop: int) -> Any:
        """The channels of x from `start` up to `stop`."""
        ...

    def upsample(self, x: Any) -> Any:
        """Each position four times: nearest neighbour, twice the rows and columns."""
        ...

    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        ...

    def multiply(self, a: Any, b: Any) -> Any:
        """The product, element by element; b may be a number."""
        ...

    def tanh(self, x: Any) -> Any:
        """The hyperbolic tangent."""
        ...


def connect(
    config: NetworkConfig, layers: Layers, frames: Any, hidden: Any, neighbours: int
) -> tuple[Any, Any]:
    """Lay the whole network out in `layers`.

    Takes a frame's 24 features at 1/4 of its resolution, joined with as many of each neighbour less
    those of the frame, and the hidden state at 1/8. Gives the residual features and the next hidden
    state. `neighbours` is CAUSAL or LOOK_AHEAD.
    """
    quarter, eighth, sixteenth = config.widths
    places = range(yuv.CHANNELS, (1 + neighbours) * yuv.CHANNELS, yuv.CHANNELS)
    x = layers.convolution(frames, quarter, "stem")
    skip4 = x = _blocks(layers, x, config.encoder[0], "encoder4")
    x = layers.convolution(x, eighth, "down8", stride=2)
    x = layers.block(x, "fuse", hidden)
    skip8 = x = _blocks(layers, x, config.encoder[1] - 1, "encoder8")
    x = layers.convolution(x, sixteenth, "down16", stride=2)
    x = _blocks(layers, x, config.encoder[2], "bottom")
    x = layers.add(skip8, layers.upsample(layers.convolution(x, eighth, "up8", side=1)))
    x = _blocks(layers, x, config.decoder[1], "decoder8")
    next_hidden = layers.tanh(layers.channels(x, 0, config.hidden))
    x = layers.add(skip4, layers.upsample(layers.convolution(x, quarter, "up4", side=1)))
    x = _blocks(layers, x, config.decoder[0], "decoder4")
    x = layers.activation(x)
    # Undoing blur is a linear filter that differs from place to place: the trunk only has to tell
    # which, not to carry the picture. It gained a quarter more at equal steps
    # (docs/lab/training.md).
    seen = layers.channels(frames, 0, places[0] + LUMA)
    further = [layers.channels(frames, place, place + LUMA) for place in places[1:]]
    bank = layers.convolution(
        layers.join([seen, *further]) if further else seen, config.filters, "bank"
    )
    choice = layers.convolution(x, config.filters, "choice", side=1)
    residual = layers.convolution(layers.multiply(bank, choice), yuv.CHANNELS, "head")
    residual = layers.multiply(residual, RESIDUAL_SCALE)
    # Where a neighbour is sharper and shows the same, it is taken as it is, sample by sample.
    for place, gate in zip(places, GATES, strict=False):
        share = layers.convolution(x, yuv.CHANNELS, gate, side=1)
        change = layers.channels(frames, place, place + yuv.CHANNELS)
        residual = layers.add(residual, layers.multiply(share, change))
    return residual, next_hidden


def causal_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of a network with look-ahead as those of the one that has none.

    Both give the same for a next frame that is not there.
    """
    kept = {"stem/kernel": 2 * yuv.CHANNELS, "bank/kernel": yuv.CHANNELS + LUMA}
    return {
        name: array[:, :, : kept[name]] if name in kept else array
        for name, array in arrays.items()
        if not name.startswith(GATES[-1])
    }


def _blocks(layers: Layers, x: Any, count: int, name: str) -> Any:
    for index in range(count):
        x = layers.block(x, f"{name}_{index}")
    return x


def fresh_hidden(config: NetworkConfig, batch: int, height: int, width: int) -> np.ndarray:
    """The float32 hidden state before the first of frames of this size, in pixels: zeros.

    (N, H/8, W/8, hidden), the sides padded to `MULTIPLE` before.
    """
    rows = yuv.padded_length(height, MULTIPLE) // (2 * yuv.PATCH)
    columns = yuv.padded_length(width, MULTIPLE) // (2 * yuv.PATCH)
    return np.zeros((batch, rows, columns, config.hidden), np.float32)
