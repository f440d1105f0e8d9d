"""The frames of real pairs: stretches of one side of the split, and clips cut from them.

A scene of pictures is read as needed; a pair of videos is decoded once, see `pair_video`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ClipError
from models.evaluation.clips import IMAGES, read_image
from models.training.pair_video import PairFrames, open_pair_video
from models.training.pairs import PairScene, side_of
from models.training.split import Split
from models.training.synthesis import Clip

DISK_BYTES = 8 << 30
"""Kept of all pairs of videos together, at most."""

HELD_FRAMES = 6
"""Of the end of each scene, at least, where there are too few scenes to hold out whole ones."""

FULL_SIZE = (720, 1280)
"""Largest frame that validates, in pixels; a larger one counts with its middle."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive frames of a scene that one side of the split may use."""

    scene: PairScene
    frames: range


class PairLibrary:
    """The pair scenes of one side of the split; cheap to pickle.

    Scenes are held out whole (`pairs.side_of`); with too few of them the last tenth of each is
    held out, `HELD_FRAMES` at least. ClipError if nothing is left or a video can't be decoded:
    new videos are decoded here, for seconds each.
    """

    def __init__(self, scenes: Sequence[PairScene], *, split: Split, cache: Path) -> None:
        self._cache = cache
        self._videos: dict[Path, PairFrames] = {}
        self._limit_bytes = DISK_BYTES // max(1, sum(not _of_pictures(s) for s in scenes))
        whole = side_of(list(scenes), split)
        chosen = whole
        if chosen is None:
            chosen = [scene for scene in scenes if scene.part == "train"]
        stretches = [stretch for scene in chosen for stretch in self._runs(scene)]
        if whole is None:
            stretches = list(_ends(stretches, split))
        if not stretches:
            raise ClipError(
                f"{len(scenes)} scene(s) of pairs are too few or too short for a {split} side"
            )
        self.stretches = tuple(stretches)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_videos": {}}

    def __repr__(self) -> str:
        frames = sum(len(stretch.frames) for stretch in self.stretches)
        return f"PairLibrary({len(self.stretches)} stretches, {frames} frames)"

    def cut(self, rng: np.random.Generator, *, size: int, frames: int) -> Clip:
        """`frames` consecutive ones of a random square; every place in time is as likely.

        ClipError if no stretch is long enough or its frames are smaller than the square.
        """
        places = [max(0, len(stretch.frames) - frames + 1) for stretch in self.stretches]
        if not sum(places):
            longest = max(len(stretch.frames) for stretch in self.stretches)
            raise ClipError(
                f"the longest run of pairs has {longest} frames and clips have {frames}: "
                "give longer ones, or fewer --frames"
            )
        ends = np.cumsum(places)
        place = int(rng.integers(ends[-1]))
        which = int(np.searchsorted(ends, place, side="right"))
        stretch = self.stretches[which]
        window = stretch.frames[place - int(ends[which]) + places[which] :][:frames]
        across = rng.random(2)
        pictures = [self._frame(stretch.scene, number) for number in window]
        height, width = pictures[0][0].shape[:2]
        if min(height, width) < size:
            raise ClipError(
                f"{stretch.scene.name}: frames of {width}x{height} px are smaller than clips of "
                f"{size} px: give larger ones, or a smaller --crop"
            )
        top, left = (int(a * (n - size + 1)) for a, n in zip(across, (height, width), strict=True))
        return _clip(pictures, stretch.scene, slice(top, top + size), slice(left, left + size))

    def full_clips(self, count: int, frames: int) -> Iterator[Clip]:
        """Clips of whole frames, `count` and `frames` at most, spread over all stretches."""
        windows = [
            (stretch.scene, stretch.frames[first : first + frames])
            for stretch in self.stretches
            for first in range(0, max(1, len(stretch.frames) - frames + 1), frames)
        ]
        count = min(count, len(windows))
        for index in range(count):
            scene, window = windows[index * len(windows) // count]
            pictures = [self._frame(scene, number) for number in window]
            yield _clip(pictures, scene, *map(_middle, pictures[0][0].shape[:2], FULL_SIZE))

    def _runs(self, scene: PairScene) -> list[Stretch]:
        if _of_pictures(scene):
            return [Stretch(scene, range(len(scene.blurry.files)))]
        return [Stretch(scene, run) for run in self._video(scene).runs]

    def _video(self, scene: PairScene) -> PairFrames:
        blurry, sharp = scene.blurry.files[0], scene.sharp.files[0]
        if blurry not in self._videos:
            self._videos[blurry] = open_pair_video(
                blurry, sharp, self._cache, limit_bytes=self._limit_bytes
            )
        return self._videos[blurry]

    def _frame(self, scene: PairScene, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        if _of_pictures(scene):
            return read_image(scene.blurry.files[index]), read_image(scene.sharp.files[index])
        frames = self._video(scene).frames
        return frames[index, 0], frames[index, 1]


def _clip(
    pictures: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    scene: PairScene,
    rows: slice,
    columns: slice,
) -> Clip:
    if len({picture.shape for pair in pictures for picture in pair}) > 1:
        raise ClipError(f"{scene.name}: blurry and sharp frames differ in size")
    blurry, sharp = (np.stack([pair[side][rows, columns] for pair in pictures]) for side in (0, 1))
    return Clip(blurry=blurry, sharp=sharp)


def _middle(side: int, most: int) -> slice:
    """The middle `most` samples of a side, or all of a shorter one."""
    first = max(0, (side - most) // 2)
    return slice(first, min(side, first + most))


def _ends(stretches: list[Stretch], split: Split) -> Iterator[Stretch]:
    """The last frames of each scene for validation, those before them for training."""
    for scene in dict.fromkeys(stretch.scene for stretch in stretches):
        *runs, last = [stretch.frames for stretch in stretches if stretch.scene == scene]
        held = max(HELD_FRAMES, (sum(map(len, runs)) + len(last)) // 10)
        kept = max(0, len(last) - held)
        if split == "validation" and kept:
            yield Stretch(scene, last[kept:])
        if split == "train":
            yield from (Stretch(scene, run) for run in (*runs, last[:kept]) if run)


def _of_pictures(scene: PairScene) -> bool:
    return scene.blurry.files[0].suffix.lower() in IMAGES
