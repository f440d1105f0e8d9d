"""Clips drawn by code, to calibrate and check exported files on, and a step's way through one."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from models.color import rgb_to_planes
from models.export.step import Size, Step, Tensors, fresh_state, next_state, nominal_planes
from models.planes import Levels
from models.training.procedural import draw_scene

LEVELS = Levels()
FRAMES = 6
"""Of each clip."""

_CALIBRATION_SEEDS = (200, 201, 202)
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


def calibration_inputs(
    step: Step, size: Size, hidden: int, *, channels_first: bool
) -> Iterator[Tensors]:
    """Inputs of a float32 step as they come up in clips of frames of this size."""
    for seed in _CALIBRATION_SEEDS:
        blurry = [pair[0] for pair in drawn_clip(seed, size, FRAMES)]
        state = fresh_state(size, hidden, channels_first=channels_first)
        for inputs, _ in run_clip(step, blurry, state):
            yield inputs


def run_clip(
    step: Step, frames: Sequence[np.ndarray], state: Tensors
) -> Iterator[tuple[Tensors, Tensors]]:
    """Inputs and outputs of each frame's step."""
    for rgb in frames:
        inputs = nominal_planes(rgb_to_planes(rgb, LEVELS), LEVELS) | state
        outputs = step(inputs)
        yield inputs, outputs
        state = next_state(outputs)
