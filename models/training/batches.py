"""Batches of crops: what the training step is fed, as a pure function of the step."""

from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Cuts(NamedTuple):
    """Where the clips of a batch are cut from and how they are turned, one row for each.

    Attributes:
        numbers: (N,) of clips of the pool.
        corners: (N, 3) first frame, top row and left column of the cut, in features.
        turns: (N, 5) bool: rows reversed, columns reversed, transposed, time reversed, U and V
            swapped, in this order.
    """

    numbers: np.ndarray
    corners: np.ndarray
    turns: np.ndarray


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
        cuts = zip(*self._order(step), strict=True)
        blurry, sharp = np.stack([self._cut(*cut) for cut in cuts], axis=1)
        return blurry, sharp

    def _order(self, step: int) -> Cuts:
        """The cuts of a step, whose clips and those of the next ones are asked of the pool."""
        cuts = self._draw(step)
        soon = [self._draw(step + later).numbers for later in range(1, LOOK_AHEAD)]
        self.pool.advance(step, drawn=map(int, np.concatenate([cuts.numbers, *soon])))
        return cuts

    def _draw(self, step: int) -> Cuts:
        settings, shape = self.pool.settings, self.shape
        rng = np.random.default_rng([settings.seed, step])
        window = settings.window(step)
        side = (settings.size - shape.crop) // yuv.PATCH
        slack = np.array([settings.frames - shape.frames, side, side])
        return Cuts(
            rng.integers(window.start, window.stop, shape.clips),
            rng.integers(slack + 1, size=(shape.clips, 3)),
            # Averaged exposures read the same backwards: reversed time is as true as forward time
            rng.random((shape.clips, 5)) < 0.5,
        )

    def _cut(self, number: int, corner: np.ndarray, turns: np.ndarray) -> np.ndarray:
        """A stretch of a clip in time and space, (2, T, h, w, 24)."""
        frames, side = self.shape.frames, self.shape.crop // yuv.PATCH
        first, top, left = corner
        clip = self.pool.clip(int(number))
        cut = clip[:, first : first + frames, top : top + side, left : left + side]
        return turned(cut, turns)


def turned(clip: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """(2, T, h, w, 24) turned as one row of `Cuts.turns` says."""
    flip_rows, flip_columns, transpose, reverse, swap = turns
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
