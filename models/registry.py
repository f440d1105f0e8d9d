"""Names to networks: the shipped models, their weights files and their cards.

A weights file is a NumPy archive of float16 arrays that also holds its configuration, so it can be
used by its path alone. A card is a JSON file beside it that says where the weights come from and
what they score.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.earlier import from_earlier, is_earlier, with_look_ahead
from models.errors import WeightsError
from models.network import CAUSAL, GATES, LOOK_AHEAD, NetworkConfig, causal_arrays
from models.places import real_place

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
class Weights:
    """Trained weights as they are stored.

    Attributes:
        name: the registry's name, or the file's stem.
        path: the file.
        config: the size of the network they are of.
        arrays: float16 by the name of the variable, such as `stem/kernel`, a kernel being (rows,
            columns, inputs, outputs).
        aligned: whether its reference is moved to where the frame shows it; of earlier weights
            it is the frame before as it was.
    """

    name: str
    path: Path
    config: NetworkConfig
    arrays: dict[str, np.ndarray]
    aligned: bool = True

    @property
    def neighbours(self) -> int:
        """How many neighbours the network is given: `CAUSAL` or `LOOK_AHEAD`."""
        return LOOK_AHEAD if f"{GATES[-1]}/kernel" in self.arrays else CAUSAL

    @property
    def digest(self) -> str:
        """Of the file's content: equal for equal weights."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def causal(self) -> "Weights":
        """Those of the network without look-ahead, which is quicker and waits for no next frame."""
        return replace(self, arrays=causal_arrays(self.arrays))


def shipped() -> list[str]:
    """The names that have weights, smallest model first."""
    return [name for name in CONFIGS if (WEIGHTS / f"{name}.npz").is_file()]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What a model's name or path means.

    Attributes:
        given: the name or the path.
        path: the weights file, or the file or folder of a foreign model.
        foreign: whether it is somebody else's model of RGB frames, a SavedModel folder or an ONNX
            file, rather than a network of this project.
    """

    given: str
    path: Path
    foreign: bool = False

    @property
    def label(self) -> str:
        """The registry's name, or a file's without its suffix."""
        return self.path.stem

    @property
    def everywhere(self) -> str:
        """What means the same in any folder: the registry's name, or the absolute path."""
        return self.given if self.given in CONFIGS else str(self.path.absolute())


def find_model(given: str) -> ModelFile:
    """Find what a registry name or a path means, without opening it.

    A name of the registry comes before a file or folder that is called the same.

    Raises:
        WeightsError: There is no such model.
    """
    if given in CONFIGS:
        path = WEIGHTS / f"{given}.npz"
        if not path.is_file():
            raise WeightsError(f"model {given!r} has no trained weights yet; there are: {_names()}")
        return ModelFile(given, path)
    path = Path(given)
    if path.is_dir() or path.is_file():
        return ModelFile(given, path, path.is_dir() or path.suffix.lower() == ".onnx")
    raise WeightsError(f"there is no model {given!r}: give one of {_names()}, or a weights file")


def _names() -> str:
    return ", ".join(shipped())


def card(name: str) -> dict[str, Any]:
    """The card beside a model's weights, empty where there is none."""
    path = find_model(name).path.with_suffix(".json")
    if not path.is_file():
        return {}
    fields: dict[str, Any] = json.loads(path.read_text())
    return fields


def load(name: str, *, to_train: bool = False) -> Weights:
    """Read weights by their registry name or their file; WeightsError if that fails.

    With `to_train`, those of the network with look-ahead and aligned neighbours that begins from
    them.
    """
    found = find_model(name)
    path = found.path
    if found.foreign:
        raise WeightsError(
            f"{path} is not a weights file: give one of {_names()}, or a weights file"
        )
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        config = NetworkConfig.from_json(json.loads(str(arrays.pop("config"))))
    except OSError as error:
        raise WeightsError(f"{path} can't be read: {error.strerror or error}") from error
    # what NumPy says of other files is about pickles
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WeightsError(
            f"{path} is not a model, or it is damaged: give one of {_names()}, or a weights file"
        ) from error
    aligned = True
    if is_earlier(arrays):
        aligned = to_train
        arrays = from_earlier(arrays, path, exact=not to_train)
    weights = Weights(found.label, path, config, arrays, aligned)
    if to_train and weights.neighbours == CAUSAL:
        weights = replace(weights, arrays=with_look_ahead(arrays))
    return weights


def write_weights(path: Path, config: NetworkConfig, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a float16 weights file, or the one that `path` links to, whole or not at all."""
    path = real_place(path)
    halves: dict[str, Any] = {name: array.astype(np.float16) for name, array in arrays.items()}
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, config=json.dumps(config.to_json()), **halves)
    partial.replace(path)
