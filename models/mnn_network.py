"""The network on MNN, whose Winograd convolutions are the quickest in float32 on a CPU."""

import numpy as np

from models.export import onnx_graph
from models.network import initial_state
from models.planes import CHANNELS
from models.registry import Weights
from models.runtimes import MnnSession, MnnTensor


class MnnState:
    """What a stream carries from frame to frame; a frame overwrites it.

    Made by `MnnNetwork.fresh_state`.
    """

    def __init__(self, frames: MnnTensor, hidden: MnnTensor) -> None:
        self.frames = frames
        self.hidden = hidden

    def next_frame(self) -> np.ndarray:
        """Make the newest frame the one before: where to write the features of the next one.

        Returns (6, h, w, 4) float32: the 24 channels in groups of four.
        """
        newest, before = np.split(self.frames.values, 2)
        before[...] = newest
        return newest


class MnnNetwork:
    """The network for frames of one size, batch 1.

    Args:
        weights: of the network.
        height, width: of a frame, in pixels.
        threads: to compute on.

    Raises:
        ModelsError: the weights don't fit, or MNN can't convert the network.
    """

    def __init__(self, weights: Weights, height: int, width: int, *, threads: int) -> None:
        self._session = MnnSession(onnx_graph.network(weights, (height, width)), threads)
        _, self._rows, self._columns, _ = initial_state(weights.config, 1, height, width)[0].shape
        self._hidden = weights.config.hidden
        self._residual = self._session.tensor(CHANNELS, self._rows, self._columns)

    def fresh_state(self) -> MnnState:
        """The state before a stream's first frame."""
        return MnnState(
            self._session.tensor(2 * CHANNELS, self._rows, self._columns),
            self._session.tensor(self._hidden, self._rows // 2, self._columns // 2),
        )

    def __call__(self, state: MnnState) -> np.ndarray:
        """Compute the frame whose features `state.next_frame` took; `state` is then after it.

        Returns (6, h, w, 4) float32 residual features, which are valid until the next call.
        """
        inputs, outputs = self._session.inputs, self._session.outputs
        state.frames.copy_to(inputs["frames"])
        state.hidden.copy_to(inputs["hidden"])
        self._session.run()
        state.hidden.copy_from(outputs["next_hidden"])
        self._residual.copy_from(outputs["residual"])
        return self._residual.values
