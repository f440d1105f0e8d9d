"""Blurry and sharp material as clips of RGB frames, read one frame at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from models.errors import ClipError

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts"}


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive frames: a video file, or images in the order of their names."""

    name: str
    files: tuple[Path, ...]

    def frames(self) -> Iterator[np.ndarray]:
        """Each frame as (H, W, 3) uint8 RGB."""
        for file in self.files:
            if file.suffix.lower() in IMAGES:
                yield _read_image(file)
            else:
                yield from _read_video(file)


def find_clips(path: Path, *, stills: bool = False) -> list[Clip]:
    """The clips at a path: a video, a folder of frames, or a folder of either.

    With stills, every image is a clip of its own. ClipError if there is nothing to read.
    """
    clips = _clips_in(path, stills=stills) if path.is_dir() else _file_clip(path)
    if not clips:
        raise ClipError(f"{path} holds no images, videos or folders of them")
    return clips


def _file_clip(path: Path) -> list[Clip]:
    if not path.is_file():
        raise ClipError(f"{path} does not exist")
    if path.suffix.lower() not in IMAGES | VIDEOS:
        raise ClipError(f"{path} is neither an image nor a video by its name")
    return [Clip(path.stem, (path,))]


def _clips_in(folder: Path, *, stills: bool) -> list[Clip]:
    entries = sorted(folder.iterdir())
    images = tuple(entry for entry in entries if entry.suffix.lower() in IMAGES)
    clips = [Clip(image.stem, (image,)) for image in images] if stills else []
    if images and not stills:
        clips.append(Clip(folder.name, images))
    for entry in entries:
        if entry.is_dir():
            clips += _clips_in(entry, stills=stills)
        elif entry.suffix.lower() in VIDEOS:
            clips.append(Clip(entry.stem, (entry,)))
    return clips


def _read_image(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ClipError(f"{path} can't be decoded as an image")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _read_video(path: Path) -> Iterator[np.ndarray]:
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError) as error:
        raise ClipError(f"{path} can't be decoded as a video: {error}") from error
