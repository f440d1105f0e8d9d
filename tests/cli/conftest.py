import os
from pathlib import Path

import numpy as np
import pytest

FOOTAGE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def footage():
    """Public footage beside the checkout, which no fresh clone has."""
    if not FOOTAGE.is_dir():
        if os.environ.get("FAIL_WITHOUT_FOOTAGE"):
            pytest.fail(f"there is no footage at {FOOTAGE}")
        pytest.skip(f"there is no footage at {FOOTAGE}")
    return FOOTAGE


@pytest.fixture(scope="session")
def random_model(tmp_path_factory):
    """A network of a few weights that changes every picture a little, and fast."""
    from models import registry
    from models.network import NetworkConfig, build

    config = NetworkConfig((8, 8, 8), encoder=(1, 1, 1), decoder=(0, 1), hidden=8, filters=8)
    network = build(config)
    rng = np.random.default_rng(5)
    for variable in network.weights:
        gain = 0.05 if variable.path.startswith("head") else 1.0
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        variable.assign(gain * rng.normal(size=variable.shape) / np.sqrt(fan_in))
    path = tmp_path_factory.mktemp("weights") / "random.npz"
    registry.save_weights(path, config, network)
    return str(path)
