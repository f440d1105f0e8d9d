"""Other people's models: a SavedModel folder or an ONNX file that maps one RGB frame to another.

Such a model is known by its file alone: its one input and one output are float32 frames in [0, 1],
NHWC or NCHW. Frames of other sizes than it takes are padded, or cut into tiles that overlap.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from models.errors import WeightsError
from models.packages import require
from models.runtimes import onnx_session, tensorflow

MULTIPLE = 64
"""Frame sides are padded to a multiple of this many pixels where a model takes any size: files
don't tell theirs, and that of the published ones (8, 16, 32 or 64) divides it."""

OVERLAP = 8
"""Tiles share one part in this many of their sides, across which they are blended."""

Frames: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""(1, H, W, 3) or (1, 3, H, W) float32 to the same shape."""


@dataclass(frozen=True, slots=True)
class ImageModel:
    """A stateless model of RGB frames.

    Attributes:
        name: the file's stem or the folder's name.
        identity: what its output depends on.
        channels_first: whether it takes (1, 3, H, W).
        size: height and width of the frames it takes, None where any will do.
        compute: the model itself.
    """

    name: str
    identity: str
    channels_first: bool
    size: tuple[int, int] | None
    compute: Frames

    def restore(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 RGB in [0, 1] of any size to the model's (H, W, 3) float32.

        WeightsError if it fails or what it gives is no frame of the size that went in.
        """
        height, width = rgb.shape[:2]
        tile = self.size or (_padded(height), _padded(width))
        rows, columns = max(height, tile[0]), max(width, tile[1])
        border = (0, rows - height, 0, columns - width)
        whole = cv2.copyMakeBorder(rgb, *border, cv2.BORDER_REFLECT_101)
        if (rows, columns) == tile:
            return self._tile(whole)[:height, :width]
        total, weight = np.zeros_like(whole), np.zeros((rows, columns, 1), np.float32)
        window = _window(tile)
        for top in _starts(rows, tile[0]):
            for left in _starts(columns, tile[1]):
                place = slice(top, top + tile[0]), slice(left, left + tile[1])
                total[place] += window * self._tile(whole[place])
                weight[place] += window
        restored: np.ndarray = (total / weight)[:height, :width]
        return restored

    def _tile(self, rgb: np.ndarray) -> np.ndarray:
        batch = rgb[None].transpose(0, 3, 1, 2) if self.channels_first else rgb[None]
        try:
            restored = np.asarray(self.compute(np.ascontiguousarray(batch)), np.float32)
        except Exception as error:  # the runtimes' kinds of errors have no base in common
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise WeightsError(f"{self.name} fails on frames of {batch.shape}: {reason}") from error
        if restored.shape != batch.shape:
            raise WeightsError(
                f"{self.name} turns frames of {batch.shape} into {restored.shape}: only models "
                "that keep the size can be used"
            )
        one: np.ndarray = restored[0]
        return one.transpose(1, 2, 0) if self.channels_first else one


@dataclass(frozen=True, slots=True)
class _Port:
    """An input or output: its type, and its shape with None for what is free."""

    dtype: str
    shape: list[int | None]

    def __str__(self) -> str:
        sides = ", ".join("any" if side is None else str(side) for side in self.shape)
        return f"{self.dtype} ({sides})"


def load_image_model(path: Path) -> ImageModel:
    """Load the model of a SavedModel folder or an ONNX file; WeightsError if there is none."""
    given, made, compute, runtime = _open_saved_model(path) if path.is_dir() else _open_onnx(path)
    channels_first, size = _layout(path, given, made)
    return ImageModel(path.stem, f"{_digest(path)} {runtime}", channels_first, size, compute)


def _open_saved_model(path: Path) -> tuple[_Port, _Port, Frames, str]:
    tf = tensorflow()
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise WeightsError(f"{path} holds no SavedModel that can be loaded: {error}") from error
    if len(loaded.signatures) != 1:
        raise WeightsError(f"{path} has {len(loaded.signatures)} signatures; one is needed")
    key, signature = next(iter(loaded.signatures.items()))
    inputs = list(signature.structured_input_signature[1].values())
    outputs = list(signature.structured_outputs.items())
    _require_one(path, len(inputs), len(outputs))
    given, (name, made) = inputs[0], outputs[0]

    def compute(batch: np.ndarray) -> np.ndarray:
        restored: np.ndarray = loaded.signatures[key](**{given.name: tf.constant(batch)})[
            name
        ].numpy()
        return restored

    ports = [_Port(s.dtype.name, s.shape.as_list() if s.shape.rank else []) for s in (given, made)]
    return ports[0], ports[1], compute, f"TensorFlow {tf.__version__}"


def _open_onnx(path: Path) -> tuple[_Port, _Port, Frames, str]:
    require("onnxruntime")
    try:
        session = onnx_session(str(path))
    except Exception as error:  # its many kinds of errors have no base of their own
        raise WeightsError(f"{path} is no ONNX file that can be loaded: {error}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    _require_one(path, len(inputs), len(outputs))

    def compute(batch: np.ndarray) -> np.ndarray:
        restored: np.ndarray = session.run(None, {inputs[0].name: batch})[0]
        return restored

    def port(value: Any) -> _Port:
        sides = [side if isinstance(side, int) else None for side in value.shape]
        return _Port("float32" if value.type == "tensor(float)" else value.type, sides)

    return port(inputs[0]), port(outputs[0]), compute, f"ONNX Runtime {version('onnxruntime')}"


def _require_one(path: Path, inputs: int, outputs: int) -> None:
    if (inputs, outputs) != (1, 1):
        raise WeightsError(
            f"{path} has {inputs} inputs and {outputs} outputs; a model of RGB frames has one each"
        )


def _layout(path: Path, given: _Port, made: _Port) -> tuple[bool, tuple[int, int] | None]:
    """Whether the channels come first, and the size of a frame if there is only one."""
    ports = (given, made)
    fitting = [
        axis
        for axis in (3, 1)
        if all(p.dtype == "float32" and len(p.shape) == 4 and p.shape[axis] == 3 for p in ports)
    ]
    if not fitting:
        raise WeightsError(
            f"{path} maps {given} to {made}, not float32 RGB frames (N, H, W, 3) or (N, 3, H, W)"
        )
    channels_first = fitting[0] == 1
    height, width = given.shape[2:] if channels_first else given.shape[1:3]
    if (height is None) != (width is None):
        raise WeightsError(f"{path} fixes one side of its frames: {given}")
    if height is None or width is None:
        return channels_first, None
    return channels_first, (height, width)


def _digest(path: Path) -> str:
    """Of a file, or of all files of a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.relative_to(path).as_posix().encode())
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _padded(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE


def _starts(side: int, tile: int) -> list[int]:
    """Where tiles begin so that they cover a side, each sharing at least its part in `OVERLAP`."""
    count = 1 + -(-(side - tile) // (tile - tile // OVERLAP))
    return [round(index * (side - tile) / max(1, count - 1)) for index in range(count)]


def _window(tile: tuple[int, int]) -> np.ndarray:
    """(H, W, 1) weights that fall off towards a tile's borders, nowhere to zero."""
    ramps = []
    for side in tile:
        distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 1
        ramps.append(np.minimum(distance / max(1, side // OVERLAP), 1).astype(np.float32))
    return np.asarray(np.outer(*ramps)[..., None])
