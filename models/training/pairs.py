"""Real pairs on disk: which clips have a blurry and a sharp version, and on which side they fall.

Reads the field's layouts as they come. Opens no file: `pair_library` knows pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.errors import ClipError
from models.evaluation.clips import IMAGES, VIDEOS, Clip, find_clips, pair_clips
from models.training.split import Split, held_out

SIDES = (
    ("blur", "sharp"),  # GoPro; BSD with Blur/RGB and Sharp/RGB
    ("blurry", "sharp"),
    ("blurred", "sharp"),
    ("train_blur", "train_sharp"),  # REDS
    ("val_blur", "val_sharp"),
    ("blur", "gt"),
    ("blurry", "gt"),
    ("input", "gt"),  # DVD
    ("input", "target"),
)
"""Names of the blurry and the sharp side, in small letters: of folders or, less the suffix, of
videos. GoPro's blur_gamma is none of them and stays unread."""

_HELD_OUT = {"val", "valid", "validation"}
_SHOT = re.compile(r"(.+_\d+)_\d+$")


@dataclass(frozen=True, slots=True)
class PairScene:
    """A blurry and a sharp clip of the same moments.

    Attributes:
        name: its place below the folder that was searched.
        blurry, sharp: a video each, or equally many pictures.
        part: "test" below a folder of that name, "validation" below one of a validation part
            (also REDS's val_blur), otherwise "train".
    """

    name: str
    blurry: Clip
    sharp: Clip
    part: Literal["train", "validation", "test"]

    @property
    def shot(self) -> str:
        """What is never split: GoPro cuts GOPR0372_07 into GOPR0372_07_00, _01 and on."""
        match = _SHOT.match(self.name)
        return match.group(1) if match else self.name


def find_pairs(folder: Path) -> list[PairScene]:
    """The pair scenes at and below a folder, in the order of their names; none if it has no sides.

    At any depth: `blur/` beside `sharp/` (or other `SIDES`), each with frames, with folders of
    frames, or with videos; or `blur.mp4` beside `sharp.mp4`. A file has none. ClipError where the
    two sides don't match, or nothing is there.
    """
    if not folder.exists():
        raise ClipError(f"{folder} does not exist: name a file or folder of training material")
    return list(_scenes(folder, folder)) if folder.is_dir() else []


def side_of(scenes: list[PairScene], split: Split) -> list[PairScene] | None:
    """The scenes of one side, None where there are too few to give whole scenes away.

    A validation part validates where there is one, otherwise the shots that `split.held_out`
    chooses. Test parts are on neither side.
    """
    if any(scene.part == "validation" for scene in scenes):
        return [scene for scene in scenes if scene.part == split]
    ours = [scene for scene in scenes if scene.part == "train"]
    held = held_out(scene.shot for scene in ours)
    if not held:
        return None
    return [scene for scene in ours if (scene.shot in held) == (split == "validation")]


def _scenes(folder: Path, root: Path) -> Iterator[PairScene]:
    entries = [entry for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
    folders = {entry.name.lower(): entry for entry in entries if entry.is_dir()}
    videos = {entry.stem.lower(): entry for entry in entries if entry.suffix.lower() in VIDEOS}
    sides: set[Path] = set()
    for blurry, sharp in SIDES:
        for named in (folders, videos):
            if blurry in named and sharp in named:
                sides |= {named[blurry], named[sharp]}
                yield from _matched(named[blurry], named[sharp], root)
    for entry in folders.values():
        if entry not in sides:
            yield from _scenes(entry, root)


def _matched(blurry: Path, sharp: Path, root: Path) -> Iterator[PairScene]:
    place = blurry.parent.relative_to(root)
    try:
        pairs = pair_clips(find_clips(blurry), find_clips(sharp))
    except ClipError as error:
        raise ClipError(f"{blurry.parent}: {error}") from error
    for clip, target in pairs:
        if _is_video(clip) != _is_video(target) or len(clip.files) != len(target.files):
            raise ClipError(
                f"{blurry.parent}: {clip.name} has {len(clip.files)} blurry and "
                f"{len(target.files)} sharp files; every frame needs both"
            )
        name = place if len(pairs) == 1 else place / clip.name
        text = name.as_posix() if name != Path() else root.name
        yield PairScene(text, clip, target, _part((*place.parts, blurry.name)))


def _part(parts: tuple[str, ...]) -> Literal["train", "validation", "test"]:
    words = {part.lower() for part in parts}
    if "test" in words:
        return "test"
    return "validation" if words & (_HELD_OUT | {"val_blur"}) else "train"


def _is_video(clip: Clip) -> bool:
    return clip.files[0].suffix.lower() not in IMAGES
