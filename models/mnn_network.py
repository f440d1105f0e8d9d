"""The network on MNN, whose Winograd convolutions are the quickest in float32 on a CPU."""

from typing import NamedTuple

import numpy as np

from models.export import onnx_graph
from models.network import State, initial_state
from models.registry import Weights
from models.runtimes import MnnSession


class Output(NamedTuple):
    """What a frame gives.

    Attributes:
        residual: (1, h, w, 24) float32 features, until the network is called again.
        state: for the stream's next frame.
    """

    residual: np.ndarray
    state: State


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
        self._fresh = initial_state(weights.config, 1, height, width)
        self._residual = self._session.tensor(np.zeros_like(self._fresh.previous))

    def __call__(self, features: np.ndarray, state: State | None) -> Output:
        """Compute a frame from (1, h, w, 24) float32 features and the state, None for a fresh one.

        The state of the result holds tensors of MNN's.
        """
        session = self._session
        if state is None:
            state = State(*map(session.tensor, self._fresh))
        current = session.tensor(features)
        for name, tensor in zip(onnx_graph.INPUTS, (current, *state), strict=True):
            session.inputs[name].copyFrom(tensor)
        session.run()
        hidden = session.tensor(self._fresh.hidden)
        for name, tensor in zip(onnx_graph.OUTPUTS, (self._residual, hidden), strict=True):
            session.outputs[name].copyToHostTensor(tensor)
        return Output(self._residual.getNumpyData(), State(current, hidden))
