"""A small network with random weights that changes every pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.keras_network import build, save_weights
from models.network import GATES, NetworkConfig

CONFIG = NetworkConfig(widths=(8, 8, 16), encoder=(1, 1, 1), decoder=(1, 1), hidden=8, filters=8)


def save_random_weights(path: Path) -> str:
    """Write the weights file; the same on every run. Returns its name."""
    network = build(CONFIG)
    rng = np.random.default_rng(5)
    for variable in network.weights:
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        # residuals of some 10 codes, and a part of what neighbours show
        layer = variable.path.split("/")[0]
        gain = {"head": 0.3, **dict.fromkeys(GATES, 0.1)}.get(layer, 1.0)
        variable.assign(gain * rng.normal(size=variable.shape) / np.sqrt(fan_in))
    save_weights(path, CONFIG, network)
    return str(path)
