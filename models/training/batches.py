"""Batches of crops: what the training step is fed, as a pure function of the step."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

from models import planes as yuv
from models.training.augmentation import KINDS, turned
from models.training.pool import FLOW_STEPS, PICTURES, ClipPool, record_parts
from models.training.recurrence import ABSENT, ALIGNED, UNRELATED, ClipInputs

LOOK_AHEAD = 3
"""Steps whose clips are ordered at once, so that renderers have work while a step waits."""

LIVE_SHARE = 0.5
"""Clips without look-ahead, as in live streams: one set of weights serves both."""

ABSENT_SHARE, UNRELATED_SHARE = 0.08, 0.04
"""References, and next frames, that are not there, and that show something else: after a cut that
was not detected, or in a flash. The network must not trust what it can't use."""


@dataclass(frozen=True, slots=True)
class BatchShape:
    """The size of a batch.

    Attributes:
        clips: clips per batch.
        frames: consecutive frames per clip.
        crop: side of the square crop, in pixels, a multiple of 16.
    """

    clips: int = 2
    frames: int = 6
    crop: int = 144

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
    """Where the clips of a batch are cut from and how they are changed, one row for each.

    Attributes:
        numbers: (N,) of clips of the pool.
        corners: (N, 3) first frame, top row and left column of the cut, in features.
        turns: (N, KINDS) bool, see `models.training.augmentation`.
        kinds: (N, T) what the frames' references are, see `models.training.recurrence`.
        following: (N, T) likewise of the next frames.
    """

    numbers: np.ndarray
    corners: np.ndarray
    turns: np.ndarray
    kinds: np.ndarray
    following: np.ndarray


class ClipBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Item `step` is the `ClipInputs` of a batch and its sharp frames, (N, T, h, w, 24) uint8."""

    def __init__(self, pool: ClipPool, shape: BatchShape, *, steps: int) -> None:
        super().__init__()
        self.pool = pool
        self.shape = shape
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> tuple[ClipInputs, np.ndarray]:
        cuts = self._order(step)
        places = zip(cuts.numbers, cuts.corners, cuts.turns, strict=True)
        samples, flow = map(np.stack, zip(*(self._cut(*place) for place in places), strict=True))
        blurry, sharp, following = np.split(samples, PICTURES, axis=-1)
        return ClipInputs(
            frames=blurry,
            following=neighbours(following, blurry, cuts.following, np),
            flow=flow / np.float32(FLOW_STEPS),
            kinds=cuts.kinds,
        ), sharp

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
        numbers = rng.integers(window.start, window.stop, shape.clips)
        corners = rng.integers(slack + 1, size=(shape.clips, 3))
        turns = rng.random((shape.clips, KINDS)) < 0.5
        kinds, following = (self._kinds(rng) for _ in range(2))
        kinds[:, 0] = ABSENT
        following[rng.random(shape.clips) < LIVE_SHARE] = ABSENT
        return Cuts(numbers, corners, turns, kinds, following)

    def _kinds(self, rng: np.random.Generator) -> np.ndarray:
        shape = self.shape.clips, self.shape.frames
        drawn = rng.random(shape)
        kinds = np.full(shape, ALIGNED, np.int8)
        kinds[drawn < ABSENT_SHARE + UNRELATED_SHARE] = ABSENT
        if self.shape.clips > 1:
            kinds[drawn < UNRELATED_SHARE] = UNRELATED
        return kinds

    def _cut(
        self, number: int, corner: np.ndarray, turns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """A stretch of a clip in time and space: features (T, h, w, 72) and flow (T, h, w, 2)."""
        frames, side = self.shape.frames, self.shape.crop // yuv.PATCH
        first, top, left = corner
        clip = self.pool.clip(int(number))
        cut = clip[first : first + frames, top : top + side, left : left + side]
        samples, flow = record_parts(cut)
        return turned(samples, flow, turns, lambda flag, a, b: a if flag else b)


def neighbours(following: Any, frames: Any, kinds: Any, xp: Any) -> Any:
    """The next frames (N, T, h, w, 24) as `kinds` (N, T) says, in the array namespace `xp`."""
    kinds = kinds[..., None, None, None]
    related = xp.where(kinds == UNRELATED, xp.roll(following, 1, axis=0), following)
    return xp.where(kinds == ABSENT, frames, related)
