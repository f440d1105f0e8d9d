"""The network on MNN, whose Winograd convolutions are the quickest in float32 on a CPU."""

import numpy as np

from models.network import fresh_hidden
from models.networks.host import Opening
from models.onnx_graph import network
from models.planes import CHANNELS
from models.registry import Weights
from models.runtimes import MnnSession, MnnTensor


class MnnNetwork:
    """A network that is ready to compute; see `models.networks.host.HostNetwork`.

    Raises:
        ModelsError: the weights don't fit, or MNN can't convert the network.
    """

    def __init__(self, weights: Weights, opening: Opening) -> None:
        self._session = MnnSession(network(weights, opening.size), opening.threads)
        _, rows, columns, self._hidden = fresh_hidden(weights.config, 1, *opening.size).shape
        self._rows, self._columns = 2 * rows, 2 * columns
        joined = (1 + weights.neighbours) * CHANNELS
        self._frames = self._session.tensor(joined, self._rows, self._columns)
        self._residual = self._session.tensor(CHANNELS, self._rows, self._columns)

    @property
    def frames(self) -> list[np.ndarray]:
        """Where to write a frame's features and its neighbours' changes."""
        return np.split(self._frames.values, len(self._frames.values) // (CHANNELS // 4))

    def fresh_state(self) -> MnnTensor:
        """Return the hidden state before a stream's first frame: zeros."""
        return self._session.tensor(self._hidden, self._rows // 2, self._columns // 2)

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
