"""The videos of a folder at any depth, and a count of all else: nothing is passed over silently.

An ending that is known saves a look into the file; what a file is without one is asked of FFmpeg.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stream.capture.container import open_container
from stream.capture.film import picture_stream
from stream.errors import OpenError, SourceError
from stream.stills import KINDS

VIDEOS = frozenset(
    [
        *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".insv", ".lrv"),
        *(".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv"),
        *(".qt", ".rm", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
    ]
)
"""Endings of what is taken for a video unseen; a file named by itself may have any name."""

_NO_VIDEOS = frozenset(["concat", "dash", "hls", "image2"])  # FFmpeg's formats of lists and stills


class Folder:
    """What a folder holds.

    Args:
        path: The folder. Hidden files and folders are no part of it.
        apart: A folder in it that is not looked into.
        pattern: Only files whose path within the folder ends like this are looked at: see
            `pathlib.PurePath.match`.

    Attributes:
        others: How many files hold no video, by ending; known when `videos` is at its end.
    """

    def __init__(self, path: Path, apart: Path, pattern: str | None = None) -> None:
        self.path = path
        self.others: Counter[str] = Counter()
        self._apart = apart.resolve()
        self._pattern = pattern

    def videos(self) -> Iterator[Path]:
        """Give the videos in order, as paths within the folder."""
        for folder, folders, files in os.walk(self.path):
            here = Path(folder)
            folders[:] = sorted(
                name
                for name in folders
                if name[0] != "." and (here / name).resolve() != self._apart
            )
            for name in sorted(files):
                place = here.relative_to(self.path) / name
                if name[0] == "." or (self._pattern and not place.match(self._pattern)):
                    continue
                if place.suffix.lower() in VIDEOS or _is_video(here / name):
                    yield place
                else:
                    self.others[place.suffix.lower() or "without an ending"] += 1

    def told(self) -> str | None:
        """Return what was passed over, in one line, or None where nothing was."""
        if not self.others:
            return None
        kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(self.others.items()))
        return f"{self.path}: passed over what holds no video: {kinds}"


def _is_video(path: Path) -> bool:
    """Return whether FFmpeg finds moving pictures; of what may not be read it is assumed."""
    if path.suffix.lower().removeprefix(".") in KINDS or not path.is_file():
        return False
    if not os.access(path, os.R_OK):
        return True
    try:
        with open_container(path) as container:
            names = container.format.name
            picture_stream(container, path)
    except (OpenError, SourceError):
        return False
    return not names.endswith("_pipe") and names not in _NO_VIDEOS
