"""Blurry and sharp material as clips of RGB frames, read one frame at a time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from models.errors import ClipError
from models.videos import film_of, open_video

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
VIDEOS = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts"})


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive frames: a video file, or images in the order of their names and numbers."""

    name: str
    files: tuple[Path, ...]

    def frames(self) -> Iterator[np.ndarray]:
        """Each frame as (H, W, 3) uint8 RGB."""
        for file in self.files:
            if file.suffix.lower() in IMAGES:
                yield read_image(file)
            else:
                yield from _read_video(file)


def find_clips(path: Path, *, stills: bool = False) -> list[Clip]:
    """The clips at a path: a video, a folder of frames, or a folder of either.

    With stills, every image is a clip of its own. Clips in a folder are named by their place below
    it, less the suffix. ClipError if there is nothing to read, two of one name, or a video for a
    still.
    """
    clips = _clips_in(path, path, stills=stills) if path.is_dir() else _file_clip(path)
    if not clips:
        raise ClipError(f"{path} holds no images, videos or folders of them")
    files = [file for clip in clips for file in clip.files]
    if stills and (videos := [file for file in files if file.suffix.lower() not in IMAGES]):
        raise ClipError(f"{videos[0]} is a video, not a still: leave out --stills")
    names = [clip.name for clip in clips]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ClipError(f"{path} holds {twice!r} twice: rename one of them")
    return clips


def pair_clips(blurry: list[Clip], sharp: list[Clip]) -> list[tuple[Clip, Clip]]:
    """Clips of equal names, or the only two there are; ClipError if any has no partner."""
    if len(blurry) == len(sharp) == 1:
        return [(blurry[0], sharp[0])]
    targets = {clip.name: clip for clip in sharp}
    missing = {clip.name for clip in blurry} ^ targets.keys()
    if missing:
        raise ClipError(f"blurry and sharp clips don't match by name: {', '.join(sorted(missing))}")
    return [(clip, targets[clip.name]) for clip in blurry]


def _file_clip(path: Path) -> list[Clip]:
    if not path.is_file():
        raise ClipError(f"{path} does not exist")
    if path.suffix.lower() not in IMAGES | VIDEOS:
        raise ClipError(f"{path} is neither an image nor a video by its name")
    return [Clip(path.stem, (path,))]


def _clips_in(folder: Path, root: Path, *, stills: bool) -> list[Clip]:
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    entries.sort(key=_in_order)
    images = tuple(entry for entry in entries if entry.suffix.lower() in IMAGES)
    clips = [Clip(_name(image.with_suffix(""), root), (image,)) for image in images if stills]
    if images and not stills:
        clips.append(Clip(_name(folder, root), images))
    for entry in entries:
        if entry.is_dir():
            clips += _clips_in(entry, root, stills=stills)
        elif entry.suffix.lower() in VIDEOS:
            clips.append(Clip(_name(entry.with_suffix(""), root), (entry,)))
    return clips


def _name(path: Path, root: Path) -> str:
    return root.name if path == root else path.relative_to(root).as_posix()


def _in_order(path: Path) -> list[str | int]:
    """A key by which frame_9 comes before frame_10: text and numbers take turns."""
    parts = re.split(r"([0-9]+)", path.name)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def read_image(path: Path) -> np.ndarray:
    """A picture file as (H, W, 3) uint8 RGB; ClipError if it can't be decoded."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ClipError(f"{path} can't be decoded as an image: replace or remove it")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _read_video(path: Path) -> Iterator[np.ndarray]:
    try:
        with open_video(path) as container:
            for frame in container.decode(film_of(container, path)):
                yield frame.to_ndarray(format="rgb24", threads=1)
    except (av.FFmpegError, IndexError) as error:
        raise ClipError(f"{path} can't be decoded as a video: {reason(error)}") from error


def reason(error: av.FFmpegError | IndexError) -> str:
    """Why a video can't be decoded, without numbers and names of functions."""
    return getattr(error, "strerror", None) or str(error)
