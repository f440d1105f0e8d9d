"""The network on OpenVINO, in float32, int8, or bfloat16 on a CPU with units for it."""

from io import BytesIO

from models.networks import onnx
from models.networks.host import ArrayNetwork, Opening
from models.registry import Weights
from models.runtimes import openvino_core, openvino_model


def open_network(weights: Weights, opening: Opening) -> ArrayNetwork:
    """Open a network; ModelError if its weights are of another architecture."""
    model = openvino_core().read_model(BytesIO(onnx.content(weights, opening)))
    run = openvino_model(model, bfloat16=opening.precision == "bfloat16")
    return ArrayNetwork(weights, opening.size, run, channels_first=True)
