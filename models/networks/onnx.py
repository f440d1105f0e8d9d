"""The network on ONNX Runtime, in float32 or int8."""

from models.networks.host import ArrayNetwork, Opening
from models.onnx_graph import network
from models.registry import Weights
from models.runtimes import onnx_runner


def open_network(weights: Weights, opening: Opening) -> ArrayNetwork:
    """Open a network; ModelError if its weights are of another architecture."""
    run = onnx_runner(content(weights, opening))
    return ArrayNetwork(weights, opening.size, run, channels_first=True)


def content(weights: Weights, opening: Opening) -> bytes:
    """Return the ONNX file for an opening, quantised where that is in int8."""
    if opening.precision != "int8":
        return network(weights, opening.size)
    from models.export.onnx_step import network_int8  # it draws clips

    return network_int8(weights, opening.size)
