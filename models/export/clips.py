"""Clips drawn by code, to calibrate and check exported files on, and a step's way through one."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from models.alignment import Past, Plane, aligned, reduced_luma
from models.color import rgb_to_planes
from models.export.step import (
    HIDDEN,
    NEIGHBOURS,
    NEXT_HIDDEN,
    Size,
    Step,
    Tensors,
    fresh_hidden,
    nominal_planes,
    residual_codes,
)
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
    step: Step, size: Size, hidden: int, neighbours: int, *, channels_first: bool
) -> Iterator[Tensors]:
    """Inputs of a float32 step as they come up in clips of frames of this size."""
    for seed in _CALIBRATION_SEEDS:
        blurry = [pair[0] for pair in drawn_clip(seed, size, FRAMES)]
        state = fresh_hidden(size, hidden, channels_first=channels_first)
        for inputs, _ in run_clip(step, blurry, state, neighbours):
            yield inputs


def run_clip(
    step: Step, frames: Sequence[np.ndarray], hidden: np.ndarray, neighbours: int
) -> Iterator[tuple[Tensors, Tensors]]:
    """Inputs and outputs of each frame's step; for a neighbour that is not there, the frame."""
    clip: list[list[Plane]] = [list(rgb_to_planes(rgb, LEVELS)) for rgb in frames]
    small = [reduced_luma(planes[0], LEVELS.bit_depth) for planes in clip]
    past: Past | None = None
    for index, planes in enumerate(clip):
        reference = aligned(small[index], past.small, past.blend) if past else None
        following = None
        if index + 1 < len(clip):
            following = aligned(small[index], small[index + 1], clip[index + 1])
        inputs = nominal_planes(planes, LEVELS)
        for name, neighbour in list(zip(NEIGHBOURS, (reference, following), strict=True))[
            :neighbours
        ]:
            inputs |= nominal_planes(neighbour or planes, LEVELS, name)
        outputs = step(inputs | {HIDDEN: hidden})
        yield inputs | {HIDDEN: hidden}, outputs
        made = [  # what is no number is found by whoever compares
            np.nan_to_num(np.clip(np.rint(plane + change), 0, LEVELS.peak)).astype(np.uint8)
            for plane, change in zip(planes, residual_codes(outputs, LEVELS), strict=True)
        ]
        past, hidden = Past.of(small[index], planes, made), outputs[NEXT_HIDDEN]
