"""The network on MNN, whose Winograd convolutions are the quickest in float32 on a CPU."""

import numpy as np

from models.export import onnx_graph
from models.network import fresh_hidden
from models.planes import CHANNELS
from models.registry import Weights
from models.runtimes import MnnSession, MnnTensor


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
        _, rows, columns, self._hidden = fresh_hidden(weights.config, 1, height, width).shape
        self._rows, self._columns = 2 * rows, 2 * columns
        joined = (1 + weights.neighbours) * CHANNELS
        self._frames = self._session.tensor(joined, self._rows, self._columns)
        self._residual = self._session.tensor(CHANNELS, self._rows, self._columns)

    @property
    def frames(self) -> list[np.ndarray]:
        """Where to write a frame's features, and then those of each neighbour less the frame's.

        Each is (6, h, w, 4) float32: the 24 channels in groups of four.
        """
        return np.split(self._frames.values, len(self._frames.values) // (CHANNELS // 4))

    def fresh_state(self) -> MnnTensor:
        """The hidden state before a stream's first frame."""
        return self._session.tensor(self._hidden, self._rows // 2, self._columns // 2)

    def __call__(self, state: MnnTensor) -> np.ndarray:
        """Compute the frame that was written to `frames`; `state` is then after it.

        Returns (6, h, w, 4) float32 residual features, which are valid until the next call.
        """
        inputs, outputs = self._session.inputs, self._session.outputs
        self._frames.copy_to(inputs["frames"])
        state.copy_to(inputs["hidden"])
        self._session.run()
        state.copy_from(outputs["next_hidden"])
        self._residual.copy_from(outputs["residual"])
        return self._residual.values
