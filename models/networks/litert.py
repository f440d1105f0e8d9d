"""The network on LiteRT, in float32 or int8."""

import numpy as np

from models.export import litert
from models.networks.host import ArrayNetwork, Opening
from models.onnx_graph import INPUTS, OUTPUTS
from models.registry import Weights


def open_network(weights: Weights, opening: Opening) -> ArrayNetwork:
    """Open a network; ModelsError if its weights are of another architecture."""
    step = litert.runner(litert.network(weights, opening.size, opening.precision))

    def run(frames: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        made = step(dict(zip(INPUTS, (frames, hidden), strict=True)))
        residual, following = (made[name] for name in OUTPUTS)
        return residual, following

    return ArrayNetwork(weights, opening.size, run, channels_first=False)
