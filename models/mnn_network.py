"""The network on MNN, whose Winograd convolutions are the quickest in float32 on a CPU.

Sessions rather than its newer modules: these hold Python's lock while they compute, which would
stop the threads that capture and encode.
"""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.export import onnx_graph
from models.network import State, initial_state
from models.registry import Weights
from models.runtimes import convert_to_mnn, mnn


class Output(NamedTuple):
    """What a frame gives.

    Attributes:
        residual: (1, h, w, 24) float32 features, until the network is called again.
        state: for the stream's next frame.
    """

    residual: np.ndarray
    state: State


class MnnNetwork:
    """The network for frames of one size, batch 1, as a session on some threads.

    Args:
        weights: of the network.
        height, width: of a frame, in pixels.
        threads: to compute on; with other numbers of them sums may round otherwise.

    Raises:
        ModelsError: the weights don't fit, or MNN can't convert the network.
    """

    def __init__(self, weights: Weights, height: int, width: int, *, threads: int) -> None:
        self._mnn = mnn()
        self._fresh = initial_state(weights.config, 1, height, width)
        with tempfile.TemporaryDirectory() as folder:
            source, target = (Path(folder) / f"network.{kind}" for kind in ("onnx", "mnn"))
            onnx_graph.write_network(weights, source, (height, width))
            convert_to_mnn(source, target)
            self._interpreter = self._mnn.Interpreter(str(target))  # owns what the session uses
        self._session = self._interpreter.createSession(
            {"backend": "CPU", "numThread": threads, "precision": "normal"}
        )
        self._inputs = self._interpreter.getSessionInputAll(self._session)
        self._outputs = self._interpreter.getSessionOutputAll(self._session)
        self._residual = self._tensor(np.zeros_like(self._fresh.previous))

    def __call__(self, features: np.ndarray, state: State | None) -> Output:
        """Compute a frame from (1, h, w, 24) float32 features and the state, None for a fresh one.

        The state of the result holds tensors of MNN's.
        """
        if state is None:
            state = State(*map(self._tensor, self._fresh))
        current = self._tensor(features)
        for name, tensor in zip(onnx_graph.INPUTS, (current, *state), strict=True):
            self._inputs[name].copyFrom(tensor)
        self._interpreter.runSession(self._session)
        hidden = self._tensor(self._fresh.hidden)
        for name, tensor in zip(onnx_graph.OUTPUTS, (self._residual, hidden), strict=True):
            self._outputs[name].copyToHostTensor(tensor)
        return Output(self._residual.getNumpyData(), State(current, hidden))

    def _tensor(self, values: np.ndarray) -> Any:
        """A copy that MNN can read and write, with the channels last."""
        kind, layout = self._mnn.Halide_Type_Float, self._mnn.Tensor_DimensionType_Tensorflow
        return self._mnn.Tensor(values.shape, kind, values, layout)
