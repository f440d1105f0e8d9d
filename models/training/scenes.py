"""The sharp footage that blur is synthesised from: which files, which side of the split, pixels.

Knows nothing of motion or blur. A scene is one still or one video; a whole scene falls on one
side of the split, chosen by a hash of its group's name, so that adding footage moves little. Of
fewer than four videos, both sides have their part of each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.evaluation.clips import IMAGES, VIDEOS, read_image
from models.training.footage import Footage, open_footage
from models.training.frame_cache import RUN_FRAMES, default_folder
from models.training.split import FEWEST, Split, held_out

FRAME_LIMIT = 6000  # kept of all videos together, at up to 0.9 MB each

Kind = Literal["still", "video"]


@dataclass(frozen=True)
class Scene:
    """One file of sharp footage and the group that it is split with."""

    path: Path
    kind: Kind
    group: str


class SceneLibrary:
    """The scenes in files and under folders that belong to `split`; cheap to build and to pickle.

    Stills stand alone; videos are grouped by the first word of their name (`gopro_hero7`,
    `gopro_karma`: usually one maker, often one place) where that makes four groups, and no group is
    split. Of each kind, the groups that `split.held_out` chooses validate; fewer than four stills
    only train, and of fewer than four videos the end of each validates (`Footage.side`). Pixels are
    read when asked for: the last `cache_bytes` of stills are kept, and videos are decoded once into
    files under `cache` (by default the user's cache folder), `FRAME_LIMIT` frames or 5 GB in all at
    most. ValueError for too little.
    """

    def __init__(
        self,
        places: Sequence[Path],
        *,
        split: Split,
        cache_bytes: int = 64 << 20,
        cache: Path | None = None,
    ) -> None:
        if split not in ("train", "validation"):
            raise ValueError(f"split must be train or validation, not {split!r}")
        found = [scene for place in places for scene in _scan(Path(place))]
        if not found:
            named = ", ".join(map(str, places)) or "nothing"
            raise ValueError(f"no image or video in {named}: give sharp footage")
        self.split = split
        stills = [scene for scene in found if scene.kind == "still"]
        videos = _grouped([scene for scene in found if scene.kind == "video"])
        self._shared = len(videos) < FEWEST
        self.stills: tuple[Scene, ...] = _side(stills, split)
        self.videos: tuple[Scene, ...] = tuple(videos) if self._shared else _side(videos, split)
        if not self.stills and not self.videos:
            raise ValueError(f"too little footage for a {split} side: {len(found)} scene(s)")
        self._folder = cache or default_folder()
        self._footage: dict[Path, Footage] = {}
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": OrderedDict(), "_footage": {}}

    def __repr__(self) -> str:
        return f"SceneLibrary({self.split}: {len(self.stills)} stills, {len(self.videos)} videos)"

    def picture(self, scene: Scene) -> NDArray[np.uint8]:
        """A still's pixels, (H, W, 3) uint8 RGB, shared: do not write to them."""
        cached = self._cache.pop(scene.path, None)
        if cached is None:
            cached = read_image(scene.path)
        self._cache[scene.path] = cached
        while sum(p.nbytes for p in self._cache.values()) > self._cache_bytes:
            if len(self._cache) == 1:
                break
            self._cache.popitem(last=False)
        return cached

    def footage(self, scene: Scene) -> Footage:
        """This side's frames of a video; the first call for a video decodes it, for seconds."""
        if scene.path not in self._footage:
            limit = max(FRAME_LIMIT // len(self.videos), RUN_FRAMES)
            footage = open_footage(scene.path, self._folder, limit=limit)
            if self._shared and len(footage.frames) < 2:
                raise ValueError(f"{scene.path}: one frame is too short a video to train on")
            self._footage[scene.path] = footage.side(self.split) if self._shared else footage
        return self._footage[scene.path]


def _scan(place: Path) -> list[Scene]:
    """Every image and video under a folder, in the order of their names; or the one file."""
    if place.is_dir():
        return [_scene(path) for path in sorted(place.rglob("*")) if _is_scene(path)]
    if not place.exists():
        raise ValueError(f"{place} does not exist: name a file or folder of sharp footage")
    if not _is_scene(place):
        raise ValueError(f"{place} is neither an image nor a video by its name")
    return [_scene(place)]


def _is_scene(path: Path) -> bool:
    return path.suffix.lower() in IMAGES | VIDEOS and path.is_file()


def _scene(path: Path) -> Scene:
    if path.suffix.lower() in VIDEOS:
        return Scene(path, "video", path.stem.split("_")[0])
    return Scene(path, "still", path.name)


def _grouped(videos: list[Scene]) -> list[Scene]:
    """Each a group of its own where their names make too few: phones begin all with one word."""
    if len({scene.group for scene in videos}) >= FEWEST:
        return videos
    return [replace(scene, group=scene.path.name) for scene in videos]


def _side(scenes: list[Scene], split: Split) -> tuple[Scene, ...]:
    """The scenes of one kind on one side."""
    held = held_out(scene.group for scene in scenes)
    return tuple(s for s in scenes if (s.group in held) == (split == "validation"))
