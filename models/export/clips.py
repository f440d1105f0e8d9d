"""Clips drawn by code, to calibrate and check exported files on."""

from collections.abc import Iterator

import cv2
import numpy as np

from models.export.step import Size
from models.training.procedural import draw_scene

_LENGTHS_PX = (5, 9, 13)
_GAMMA = 2.2


def drawn_clip(seed: int, size: Size, frames: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blurry and sharp frames, (H, W, 3) uint8 RGB, of a camera that pans over a drawn scene.

    The shutter is open all the time, so the blur is as long as the step between two frames.
    """
    height, width = size
    length = _LENGTHS_PX[seed % len(_LENGTHS_PX)]
    sharp = draw_scene(np.random.default_rng(seed), height, width + length * frames)
    light = cv2.blur((sharp / np.float32(255)) ** _GAMMA, (length, 1))
    blurry = np.rint(255 * light ** (1 / _GAMMA)).astype(np.uint8)
    for left in range(0, length * frames, length):
        yield blurry[:, left : left + width], sharp[:, left : left + width]
