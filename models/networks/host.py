"""What an opened network is, and the one of runtimes that take and give arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models.grouped import channel_groups
from models.network import fresh_hidden
from models.onnx_graph import INPUTS, OUTPUTS
from models.planes import CHANNELS
from models.registry import Weights


@dataclass(frozen=True, slots=True)
class Opening:
    """How a network is to be opened.

    Attributes:
        size: height and width of the frames, in pixels.
        precision: to compute in, one that the runtime has.
        threads: to compute on, for a runtime that is told.
    """

    size: tuple[int, int]
    precision: str
    threads: int


class HostNetwork(Protocol):
    """A network that is ready to compute frames of one size, one after the other."""

    @property
    def frames(self) -> list[np.ndarray]:
        """Where to write a frame's features, and then those of each neighbour less the frame's.

        Each is (6, h, w, 4) float32: the 24 channels in groups of four.
        """

    def fresh_state(self) -> Any:
        """Return the hidden state before a stream's first frame."""

    def __call__(self, state: Any) -> np.ndarray:
        """Compute the frame that was written to `frames`; `state` is then after it.

        Returns (6, h, w, 4) float32 residual features, which are valid until the next call and may
        be worked in.
        """


class ArrayNetwork:
    """A network on a runtime that takes and gives arrays.

    Args:
        weights: of the network.
        size: height and width of a frame, in pixels.
        run: computes `OUTPUTS` from `INPUTS` of `models.onnx_graph`, all with the channels first or
            last.
        channels_first: which of these.
    """

    def __init__(
        self,
        weights: Weights,
        size: tuple[int, int],
        run: Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]],
        *,
        channels_first: bool,
    ) -> None:
        self._run, self._channels_first = run, channels_first
        _, rows, columns, hidden = fresh_hidden(weights.config, 1, *size).shape
        self._state = self._ordered(rows, columns, hidden)
        joined = (1 + weights.neighbours) * CHANNELS
        self._given = np.zeros(self._ordered(2 * rows, 2 * columns, joined), np.float32)
        self.frames = np.split(self._groups(self._given), 1 + weights.neighbours)

    def fresh_state(self) -> np.ndarray:
        """Return the hidden state before a stream's first frame: zeros."""
        return np.zeros(self._state, np.float32)

    def __call__(self, state: np.ndarray) -> np.ndarray:
        """See `HostNetwork`."""
        made = self._run(dict(zip(INPUTS, (self._given, state), strict=True)))
        residual, state[...] = (made[name] for name in OUTPUTS)
        return self._groups(np.require(residual, requirements="W"))

    def _ordered(self, rows: int, columns: int, channels: int) -> tuple[int, ...]:
        return (
            (1, channels, rows, columns) if self._channels_first else (1, rows, columns, channels)
        )

    def _groups(self, values: np.ndarray) -> np.ndarray:
        return channel_groups(values[0], channels_first=self._channels_first)
