"""Batches of crops: what the training step is fed, as a pure function of the step."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models import planes as yuv
from models.training.pool import ClipPool

LOOK_AHEAD = 3
"""Steps whose clips are ordered at once, so that renderers have work while a step waits."""


@dataclass(frozen=True, slots=True)
class BatchShape:
    """The size of a batch.

    Attributes:
        clips: clips per batch.
        frames: consecutive frames per clip.
        crop: side of the square crop, in pixels, a multiple of 16.
    """

    clips: int = 3
    frames: int = 4
    crop: int = 128

    def __post_init__(self) -> None:
        if min(self.clips, self.frames) < 1:
            raise ValueError(f"a batch needs clips and frames, not {self.clips} x {self.frames}")
        if self.crop < 16 or self.crop % 16:
            raise ValueError(f"crop is {self.crop}; a multiple of 16 is needed")

    @property
    def pixels(self) -> int:
        """Luma samples in a batch."""
        return self.clips * self.frames * self.crop**2


class ClipBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Item `step` is (blurry, sharp), each (N, T, h, w, 24) uint8 limited-range features."""

    def __init__(self, pool: ClipPool, shape: BatchShape, *, steps: int) -> None:
        super().__init__()
        self.pool = pool
        self.shape = shape
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        numbers, rng = self._draw(step)
        soon = [number for later in range(1, LOOK_AHEAD) for number in self._draw(step + later)[0]]
        self.pool.advance(step, drawn=(*numbers, *soon))
        clips = [_augmented(self._crop(self.pool.clip(n), rng), rng) for n in numbers]
        blurry, sharp = np.stack(clips, axis=1)
        return blurry, sharp

    def _draw(self, step: int) -> tuple[list[int], np.random.Generator]:
        """The clips of a step, and the generator that all its other choices come from."""
        settings = self.pool.settings
        rng = np.random.default_rng([settings.seed, step])
        window = settings.window(step)
        numbers = rng.integers(window.start, window.stop, self.shape.clips)
        return [int(number) for number in numbers], rng

    def _crop(self, clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A random stretch of (2, T, h, w, 24), in time and space."""
        frames, side = self.shape.frames, self.shape.crop // yuv.PATCH
        _, length, height, width, _ = clip.shape
        first = rng.integers(length - frames + 1)
        top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
        return clip[:, first : first + frames, top : top + side, left : left + side]


def _augmented(clip: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the eight orientations, either direction of time, U and V as they are or swapped.

    Averaged exposures read the same backwards, so reversed time is as true as forward time.
    """
    flip_rows, flip_columns, transpose, reverse, swap = rng.random(5) < 0.5
    if reverse:
        clip = clip[:, ::-1]
    flat = clip.reshape(-1, *clip.shape[2:])
    planes: list[Any] = list(yuv.unpack(flat, np))
    if flip_rows:
        planes = [plane[:, ::-1] for plane in planes]
    if flip_columns:
        planes = [plane[:, :, ::-1] for plane in planes]
    if transpose:
        planes = [plane.transpose(0, 2, 1) for plane in planes]
    y, u, v = planes
    if swap:
        u, v = v, u
    packed: np.ndarray = yuv.pack(y, u, v, np)
    return packed.reshape(clip.shape)
