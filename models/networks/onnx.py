"""The network on ONNX Runtime, in float32 or int8."""

import numpy as np

from models.networks.host import ArrayNetwork, Opening
from models.onnx_graph import INPUTS, OUTPUTS, network
from models.registry import Weights
from models.runtimes import onnx_session


def open_network(weights: Weights, opening: Opening) -> ArrayNetwork:
    """Open a network; ModelsError if its weights are of another architecture."""
    session = onnx_session(content(weights, opening))

    def run(frames: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residual, following = session.run(OUTPUTS, dict(zip(INPUTS, (frames, hidden), strict=True)))
        return residual, following

    return ArrayNetwork(weights, opening.size, run, channels_first=True)


def content(weights: Weights, opening: Opening) -> bytes:
    """Return the ONNX file for an opening, quantised where that is in int8."""
    if opening.precision != "int8":
        return network(weights, opening.size)
    from models.export.onnx_step import network_int8  # it draws clips

    return network_int8(weights, opening.size)
