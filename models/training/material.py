"""What clips are made of: sharp footage to blur, real pairs to cut from, or both.

Each folder is one or the other: pairs if it has the two sides anywhere in it, footage if not. A
file is footage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.errors import ClipError
from models.training.frame_cache import default_folder
from models.training.pair_library import PairLibrary
from models.training.pairs import PairScene, find_pairs
from models.training.scenes import SceneLibrary
from models.training.settings import BlurSettings
from models.training.split import Split
from models.training.synthesis import Clip, render_clip


class Material:
    """One side of the split of all of it; ClipError if that holds nothing. Cheap to pickle.

    Attributes:
        footage: sharp scenes, None without any.
        pairs: pair scenes, None without any.
    """

    def __init__(self, places: Sequence[str], *, split: Split, cache: Path | None = None) -> None:
        cache = cache or default_folder()
        scenes: list[PairScene] = []
        sharp: list[Path] = []
        for place in map(Path, places):
            found = find_pairs(place)
            scenes += found
            if not found:
                sharp.append(place)
        self.pairs = PairLibrary(scenes, split=split, cache=cache) if scenes else None
        self.footage: SceneLibrary | None = None
        try:
            if sharp or not scenes:
                self.footage = SceneLibrary(sharp, split=split, cache=cache)
        except ValueError as error:
            if split == "validation" and self.pairs:
                return  # pairs alone can judge
            hint = "; four stills or one video are the least" if "too little" in str(error) else ""
            raise ClipError(f"{error}{hint}") from error

    def describe(self) -> str:
        """How much there is, for people."""
        parts = []
        if self.footage:
            stills, videos = len(self.footage.stills), len(self.footage.videos)
            parts.append(f"{stills} sharp stills and {videos} videos to blur")
        if self.pairs:
            frames = sum(len(stretch.frames) for stretch in self.pairs.stretches)
            parts.append(f"{frames} pairs of frames in {len(self.pairs.stretches)} stretches")
        return ", ".join(parts)

    def clip(
        self, seed: int, *, size: int, frames: int, blur: BlurSettings, pair_share: float
    ) -> Clip:
        """The clip of this seed: the same material and arguments give the same clip.

        ClipError, or ValueError for footage, if a file can't be read.
        """
        rng = np.random.default_rng([seed, 1])  # synthesis draws from [seed] itself
        if self.pairs and (self.footage is None or rng.random() < pair_share):
            clip = self.pairs.cut(rng, size=size, frames=frames)
            if rng.random() < blur.sharp_share:  # what is sharp already must stay so
                return Clip(blurry=clip.sharp.copy(), sharp=clip.sharp)
            return clip
        if self.footage is None:
            raise ClipError("there is nothing to make clips of")
        return render_clip(
            self.footage, seed, height=size, width=size, frames=frames, settings=blur
        )
