"""A sheet of enlarged crops where the blur is worst: blurry, each model, sharp."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.drawing import captioned
from models.errors import ClipError
from models.evaluation.clips import Clip
from models.evaluation.metrics import psnr

ROWS = 8
SIDE = 96
"""Of a crop, in pixels; smaller where frames are."""

ENLARGED = 3

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crop:
    """The place in a clip that blur damaged most, and how it looks.

    Attributes:
        clip: the clip's name.
        frame: index of the frame.
        rows, columns: of that frame.
        error: mean squared difference there, over pixels and channels.
        blurry, sharp: (h, w, 3) uint8 RGB.
        restored: the same of each model, as they are collected.
    """

    clip: str
    frame: int
    rows: slice
    columns: slice
    error: float
    blurry: Picture
    sharp: Picture
    restored: dict[str, Picture] = field(default_factory=dict)

    def collector(self, model: str) -> Callable[[int, np.ndarray], None]:
        """A function that is shown each output frame of a model and keeps this crop of one."""

        def observe(index: int, output: np.ndarray) -> None:
            if index == self.frame:
                self.restored[model] = output[self.rows, self.columns].copy()

        return observe


def worst_crop(blurry: Clip, sharp: Clip, side: int = SIDE) -> Crop:
    """The square of a clip where blurry and sharp differ most; ClipError if they don't match."""
    worst: Crop | None = None
    for index, (source, target) in enumerate(zip_longest(blurry.frames(), sharp.frames())):
        if source is None or target is None or source.shape != target.shape:
            raise ClipError(f"{blurry.name}: blurry and sharp frames differ in number or size")
        height, width = min(side, source.shape[0]), min(side, source.shape[1])
        square = np.square(source.astype(np.float32) - target).mean(axis=-1)
        mean = cv2.boxFilter(square, cv2.CV_32F, (width, height), anchor=(0, 0))
        inside = mean[: source.shape[0] - height + 1, : source.shape[1] - width + 1]
        top, left = (int(n) for n in np.unravel_index(int(inside.argmax()), inside.shape))
        if worst is None or inside[top, left] > worst.error:
            rows, columns = slice(top, top + height), slice(left, left + width)
            worst = Crop(
                blurry.name,
                index,
                rows,
                columns,
                float(inside[top, left]),
                source[rows, columns].copy(),
                target[rows, columns].copy(),
            )
    if worst is None:
        raise ClipError(f"{blurry.name} has no frames")
    return worst


def worst_crops(pairs: Sequence[tuple[Clip, Clip]], count: int = ROWS) -> list[Crop]:
    """The worst place of each clip, of the `count` clips where it is worst; worst first."""
    crops = [worst_crop(blurry, sharp) for blurry, sharp in pairs]
    return sorted(crops, key=lambda crop: crop.error, reverse=True)[:count]


def draw_sheet(path: Path, crops: Sequence[Crop]) -> None:
    """Write a PNG with a row per crop, captioned with PSNR; ClipError if it can't be written."""
    rows = [_row(crop) for crop in crops]
    height, width = (max(row.shape[axis] for row in rows) for axis in (0, 1))
    sheet = np.zeros((height * len(rows), width, 3), np.uint8)
    for index, row in enumerate(rows):
        sheet[index * height : index * height + row.shape[0], : row.shape[1]] = row
    try:
        written = cv2.imwrite(str(path), sheet[..., ::-1])
    except cv2.error:
        written = False
    if not written:
        raise ClipError(f"{path} can't be written: give a .png in a folder that exists")


def _row(crop: Crop) -> Picture:
    outputs: Mapping[str, Picture] = {"blurry": crop.blurry, **crop.restored}
    cells = [
        captioned(picture, f"{name[-20:]} {psnr(crop.sharp, picture):.2f} dB", enlarged=ENLARGED)
        for name, picture in outputs.items()
    ]
    name = f"sharp {crop.clip[-18:]} #{crop.frame}"
    return np.concatenate([*cells, captioned(crop.sharp, name, enlarged=ENLARGED)], axis=1)
