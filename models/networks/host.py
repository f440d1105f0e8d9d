"""What an opened network is, and the one of runtimes that take and give arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models.grouped import channel_groups
from models.network import fresh_hidden
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


Run = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Frames and hidden state to residual and next hidden state, float32 of batch 1."""


class ArrayNetwork:
    """A network on a runtime that takes and gives arrays.

    Args:
        weights: of the network.
        size: height and width of a frame, in pixels.
        run: computes one frame; its arrays have the channels first or last.
        channels_first: which of these.
    """

    def __init__(
        self, weights: Weights, size: tuple[int, int], run: Run, *, channels_first: bool
    ) -> None:
        self._run, self._channels_first = run, channels_first
        hidden = fresh_hidden(weights.config, 1, *size)
        self._hidden_shape = _ordered(hidden, channels_first=channels_first).shape
        rows, columns = 2 * hidden.shape[1], 2 * hidden.shape[2]
        joined = (1 + weights.neighbours) * CHANNELS
        shape = (1, joined, rows, columns) if channels_first else (1, rows, columns, joined)
        self._frames = np.zeros(shape, np.float32)
        groups = channel_groups(self._frames[0], channels_first=channels_first)
        self.frames = np.split(groups, len(groups) // (CHANNELS // 4))

    def fresh_state(self) -> np.ndarray:
        """Return the hidden state before a stream's first frame: zeros."""
        return np.zeros(self._hidden_shape, np.float32)

    def __call__(self, state: np.ndarray) -> np.ndarray:
        """See `HostNetwork`."""
        residual, state[...] = self._run(self._frames, state)
        return channel_groups(
            np.require(residual[0], requirements="W"), channels_first=self._channels_first
        )


def _ordered(values: np.ndarray, *, channels_first: bool) -> np.ndarray:
    return values.transpose(0, 3, 1, 2) if channels_first else values
