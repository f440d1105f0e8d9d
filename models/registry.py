"""Names to networks: the shipped models, their weights files and their cards.

A weights file is a NumPy archive of float16 arrays that also holds its configuration, so it can be
used by its path alone. A card is a JSON file beside it that says where the weights come from and
what they score.
"""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from models.errors import WeightsError
from models.network import NetworkConfig, build

WEIGHTS = Path(__file__).parent / "weights"

CONFIGS: dict[str, NetworkConfig] = {
    "tiny": NetworkConfig((24, 48, 80), encoder=(1, 1, 2), decoder=(0, 1), hidden=24, filters=48),
    "small": NetworkConfig((40, 80, 144), encoder=(1, 2, 4), decoder=(1, 2), hidden=40, filters=96),
    "base": NetworkConfig(
        (64, 128, 224), encoder=(2, 3, 4), decoder=(1, 2), hidden=64, filters=160
    ),
}
"""The family: one architecture, several sizes."""


@dataclass(frozen=True, slots=True)
class Model:
    """A network with trained weights.

    Attributes:
        name: the registry's name, or the file's stem.
        config: its size.
        network: see `models.network.build`.
        card: what its card says; empty for a file without one.
    """

    name: str
    config: NetworkConfig
    network: keras.Model
    card: dict[str, Any] = field(default_factory=dict)


def shipped() -> list[str]:
    """The names that have weights, smallest model first."""
    return [name for name in CONFIGS if (WEIGHTS / f"{name}.npz").is_file()]


def weights_path(name: str) -> Path:
    """The weights file that a registry name or a path means; WeightsError where there is none."""
    if name in CONFIGS:
        path = WEIGHTS / f"{name}.npz"
        if not path.is_file():
            raise WeightsError(
                f"model {name!r} has no trained weights yet; there are: {', '.join(shipped())}"
            )
        return path
    path = Path(name)
    if path.is_file():
        return path
    raise WeightsError(
        f"there is no model {name!r}: give one of {', '.join(shipped())}, or a weights file"
    )


def card(name: str) -> dict[str, Any]:
    """The card beside a model's weights, empty where there is none."""
    path = weights_path(name).with_suffix(".json")
    if not path.is_file():
        return {}
    fields: dict[str, Any] = json.loads(path.read_text())
    return fields


def load(name: str) -> Model:
    """Build a model by its registry name or its weights file; WeightsError if that fails."""
    path = weights_path(name)
    config, arrays = read_weights(path)
    network = build(config)
    assign(network, arrays, path)
    return Model(path.stem, config, network, card(name))


def read_weights(path: Path) -> tuple[NetworkConfig, dict[str, np.ndarray]]:
    """The configuration and the arrays, by variable path, of a weights file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        config = NetworkConfig.from_json(json.loads(str(arrays.pop("config"))))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise WeightsError(f"{path} is not a weights file of this program: {error}") from error
    return config, arrays


def assign(network: keras.Model, arrays: dict[str, np.ndarray], source: Path) -> None:
    """Fill a network's weights; WeightsError unless names and shapes match exactly."""
    variables = {variable.path: variable for variable in network.weights}
    if variables.keys() != arrays.keys():
        raise WeightsError(f"{source} holds the weights of another architecture")
    for key, variable in variables.items():
        if tuple(variable.shape) != arrays[key].shape:
            raise WeightsError(f"{source}: {key} is {arrays[key].shape}, not {variable.shape}")
        variable.assign(arrays[key].astype(np.float32))


def save_weights(path: Path, config: NetworkConfig, network: keras.Model) -> None:
    """Write a float16 weights file, whole or not at all."""
    arrays = {
        variable.path: keras.ops.convert_to_numpy(variable.value).astype(np.float16)
        for variable in network.weights
    }
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, config=json.dumps(config.to_json()), **arrays)
    partial.replace(path)
