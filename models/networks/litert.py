"""The network on LiteRT, in float32 or int8."""

from models.export import litert
from models.networks.host import ArrayNetwork, Opening
from models.registry import Weights


def open_network(weights: Weights, opening: Opening) -> ArrayNetwork:
    """Open a network; ModelError if its weights are of another architecture."""
    run = litert.runner(litert.network(weights, opening.size, opening.precision))
    return ArrayNetwork(weights, opening.size, run, channels_first=False)
