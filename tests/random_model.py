"""A small network with random weights that changes every pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.keras_network import build, save_weights
from models.network import NetworkConfig

CONFIG = NetworkConfig(widths=(8, 8, 16), encoder=(1, 1, 1), decoder=(1, 1), hidden=8, filters=8)


def save_random_weights(path: Path) -> str:
    """Write the weights file; the same on every run. Returns its name."""
    network = build(CONFIG)
    rng = np.random.default_rng(5)
    for variable in network.weights:
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        gain = 0.1 if variable.path.startswith("head") else 1.0  # residuals of some 10 codes
        variable.assign(gain * rng.normal(size=variable.shape) / np.sqrt(fan_in))
    save_weights(path, CONFIG, network)
    return str(path)
