"""The engine for other people's models of single RGB frames: stateless, for quality, not for pace.

RGB is made for the model alone. What it changes comes back as a residual that is added to the
source's own planes, so that what it leaves alone stays bit-exact.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.color import Matrix, change_of_planes, planes_to_rgb
from models.image_model import load_image_model
from models.packing import Geometry
from stream.frame import Planes
from stream.inference.device import Compute, prepare_tensorflow
from stream.inference.engine import Neighbours, Result, State, picture_of

_MATRICES: dict[int, Matrix] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020"}
_HD_ROWS = 720  # untagged frames are taken for BT.709 from here on, as players do


class ImageEngine:
    """A model of RGB frames behind the engine's protocol.

    Args:
        path: a SavedModel folder or an ONNX file.
        device: "cpu" or "gpu", for a SavedModel; ONNX runs on the CPU.
    """

    neighbours = 0
    aligned = True

    def __init__(self, path: Path, device: str) -> None:
        saved_model = path.is_dir()
        self.compute = Compute(device, "float32", "tensorflow" if saved_model else "onnx")
        if saved_model:
            prepare_tensorflow(self.compute)
        self._model = load_image_model(path)
        self.name = self._model.name
        self.identity = f"{self._model.identity} {device}"

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """Restore a frame of each of several streams, one after the other; there is no state."""
        return [self._restored(picture, geometry) for picture in pictures]

    def _restored(self, picture: Planes, geometry: Geometry) -> Result:
        rgb = np.clip(_to_rgb(picture, geometry), 0, 1)
        change = self._model.restore(rgb) - rgb
        if not np.isfinite(change.sum()):
            return Result(picture, None, finite=False)
        arrays = [
            np.clip(np.rint(plane + change), 0, geometry.levels.peak).astype(plane.dtype)
            for plane, change in zip(picture.arrays, _changes(change, geometry), strict=True)
        ]
        return Result(picture_of(arrays, geometry), None, finite=True)


def _to_rgb(picture: Planes, geometry: Geometry) -> np.ndarray:
    """(H, W, 3) float32 RGB, nominally in [0, 1]."""
    levels = geometry.levels
    if geometry.rgb:
        green, blue, red = (plane.astype(np.float32) / levels.peak for plane in picture.arrays)
        return np.stack([red, green, blue], axis=-1)
    if len(picture.arrays) == 1:
        black, scale = levels.luma
        grey = (picture.arrays[0].astype(np.float32) - np.float32(black)) / np.float32(scale)
        return np.repeat(grey[..., None], 3, axis=-1)
    y, u, v = picture.arrays
    return planes_to_rgb((y, u, v), levels, _matrix(geometry))


def _changes(change: np.ndarray, geometry: Geometry) -> list[np.ndarray]:
    """A change of (H, W, 3) RGB as one of each plane, in code values."""
    levels = geometry.levels
    if geometry.rgb:
        return [change[..., channel] * levels.peak for channel in (1, 2, 0)]
    chroma = geometry.shapes[-1]
    changes = change_of_planes(change, (chroma[0], chroma[1]), levels, _matrix(geometry))
    return list(changes[: len(geometry.shapes)])


def _matrix(geometry: Geometry) -> Matrix:
    untagged: Matrix = "bt709" if geometry.shapes[0][0] >= _HD_ROWS else "bt601"
    return _MATRICES.get(geometry.matrix, untagged)
