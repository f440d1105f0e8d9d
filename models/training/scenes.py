"""The sharp footage that blur is synthesised from: which files, which side of the split, pixels.

Knows nothing of motion or blur. A scene is one still or one video; a whole scene falls on one
side of the split, chosen by a hash of its group's name, so that adding footage moves little.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.training.footage import Footage, open_footage
from models.training.pictures import read_picture

STILLS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"})

FRAME_LIMIT = 6000  # kept of all videos together, at up to 0.9 MB each

Kind = Literal["still", "video"]
Split = Literal["train", "validation"]


@dataclass(frozen=True)
class Scene:
    """One file of sharp footage and the group that it is split with."""

    path: Path
    kind: Kind
    group: str


class SceneLibrary:
    """The scenes under `folders` that belong to `split`; cheap to build and to pickle.

    `groups` maps a file-name pattern (`gopro_*`) to a group; scenes of one group are never split.
    Without a pattern, videos are grouped by the first word of their name (`gopro_hero7`,
    `gopro_karma`: usually one maker, often one place) and stills stand alone. About 7 % of the
    groups of each kind validate, at least one where there are four. Pixels are read when asked
    for: the last `cache_bytes` of stills are kept, and videos are decoded once into files under
    `cache` (by default the user's cache folder), `FRAME_LIMIT` frames or 5 GB in all at most.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        split: Split,
        groups: Mapping[str, str] | None = None,
        validation_share: float = 0.07,
        cache_bytes: int = 64 << 20,
        cache: Path | None = None,
    ) -> None:
        if split not in ("train", "validation"):
            raise ValueError(f"split must be train or validation, not {split!r}")
        found = [scene for folder in folders for scene in _scan(Path(folder), groups or {})]
        if not found:
            named = ", ".join(str(folder) for folder in folders) or "no folder"
            raise ValueError(f"no image or video in {named}: give folders of sharp footage")
        self.split = split
        self.stills: tuple[Scene, ...] = _side(found, "still", split, validation_share)
        self.videos: tuple[Scene, ...] = _side(found, "video", split, validation_share)
        if not self.stills and not self.videos:
            raise ValueError(f"too little footage for a {split} side: {len(found)} scene(s)")
        self._folder = cache or Path.home() / ".cache" / "deblur" / "footage"
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
            cached = read_picture(scene.path)
        self._cache[scene.path] = cached
        while sum(p.nbytes for p in self._cache.values()) > self._cache_bytes:
            if len(self._cache) == 1:
                break
            self._cache.popitem(last=False)
        return cached

    def footage(self, scene: Scene) -> Footage:
        """A video's frames; the first call for a video decodes it, for seconds."""
        if scene.path not in self._footage:
            limit = max(FRAME_LIMIT // len(self.videos), 48)
            self._footage[scene.path] = open_footage(scene.path, self._folder, limit=limit)
        return self._footage[scene.path]


def _scan(folder: Path, groups: Mapping[str, str]) -> list[Scene]:
    """Every image and video under `folder`, in the order of their names."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of training footage")
    scenes = []
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix.lower()
        kind: Kind = "video" if suffix in VIDEOS else "still"
        if suffix in STILLS | VIDEOS and path.is_file():
            scenes.append(Scene(path, kind, _group(path, kind, groups)))
    return scenes


def _group(path: Path, kind: Kind, groups: Mapping[str, str]) -> str:
    for pattern, group in groups.items():
        if fnmatch(path.name, pattern):
            return group
    return path.stem.split("_")[0] if kind == "video" else path.name


def _side(scenes: list[Scene], kind: Kind, split: Split, share: float) -> tuple[Scene, ...]:
    """The scenes of one kind on one side: the groups with the lowest hashes validate."""
    ranked = sorted({s.group for s in scenes if s.kind == kind}, key=_fraction)
    count = sum(_fraction(group) < share for group in ranked)
    if len(ranked) >= 4:
        count = max(count, 1)
    validation = set(ranked[:count])
    side = (s for s in scenes if s.kind == kind and (s.group in validation) != (split == "train"))
    return tuple(side)


def _fraction(group: str) -> float:
    """A stable number in 0 to 1 for a group's name."""
    digest = hashlib.sha256(f"split:{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
