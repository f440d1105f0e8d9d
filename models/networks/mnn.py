"""The network on MNN, whose Winograd convolutions are the quickest in float32 on a CPU."""

import hashlib
from importlib.metadata import version

import numpy as np

from models.cache import cached
from models.network import fresh_hidden
from models.networks.host import Opening
from models.onnx_graph import INPUTS, network
from models.planes import CHANNELS
from models.registry import Weights
from models.runtimes import MNN_OPTIONS, MnnSession, MnnTensor, mnn_model


class MnnNetwork:
    """A network that is ready to compute; see `models.networks.host.HostNetwork`.

    Raises:
        ModelError: the weights don't fit, or MNN can't convert the network.
    """

    def __init__(self, weights: Weights, opening: Opening) -> None:
        _, rows, columns, hidden = fresh_hidden(weights.config, 1, *opening.size).shape
        self._state = (hidden, rows, columns)
        joined = ((1 + weights.neighbours) * CHANNELS, 2 * rows, 2 * columns)
        shapes = dict(zip(INPUTS, ((1, *joined), (1, *self._state)), strict=True))
        self._session = MnnSession(_converted(weights), opening.threads, shapes)
        self._frames = self._session.tensor(*joined)
        self._residual = self._session.tensor(CHANNELS, 2 * rows, 2 * columns)

    @property
    def frames(self) -> list[np.ndarray]:
        """Where to write a frame's features and its neighbours' changes."""
        return np.split(self._frames.values, len(self._frames.values) // (CHANNELS // 4))

    def fresh_state(self) -> MnnTensor:
        """Return the hidden state before a stream's first frame: zeros."""
        return self._session.tensor(*self._state)

    def __call__(self, state: MnnTensor) -> np.ndarray:
        """See `HostNetwork`."""
        inputs, outputs = self._session.inputs, self._session.outputs
        self._frames.copy_to(inputs["frames"])
        state.copy_to(inputs["hidden"])
        self._session.run()
        state.copy_from(outputs["next_hidden"])
        self._residual.copy_from(outputs["residual"])
        return self._residual.values


open_network = MnnNetwork


def _converted(weights: Weights) -> bytes:
    """Return the network for frames of any size as MNN reads it, converted once on a machine."""
    model = network(weights)
    key = (hashlib.sha256(model).hexdigest(), "MNN", version("MNN"), *MNN_OPTIONS)
    return cached("networks", " ".join(key), lambda: mnn_model(model))
