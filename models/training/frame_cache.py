"""Decoded frames in files that processes map, in a folder that does not grow for ever.

Seeking in a compressed video costs up to a second a clip; a mapped file costs nothing, and its
pages are shared by all workers. Knows nothing of what the frames show.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from models.cache import cache_folder

if sys.platform != "win32":
    import fcntl

RUN_FRAMES = 48
"""Of each of the runs that a long video is sampled in."""

BUDGET_BYTES = 8 << 30
"""Of the files in the folder, unless more than that is in use."""

ABANDONED_S = 24 * 3600.0
"""After the last write to a part file, whose writer was killed: decoding takes minutes."""


def default_folder() -> Path:
    """Where footage is kept unless a program says otherwise."""
    return cache_folder("footage")


def file_key(video: Path) -> str:
    """A text that changes with the file: part of the key of what is decoded from it."""
    stat = video.stat()
    return f"{video.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def open_frames(
    folder: Path,
    key: str,
    decode: Callable[[BinaryIO], dict[str, Any]],
    *,
    budget_bytes: int = BUDGET_BYTES,
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The frames that `decode` once wrote under this key, mapped read-only, and its facts.

    `decode` writes uint8 samples and returns what to store as JSON beside them, `shape` among it.
    It may run in two processes at once: each writes its own file and the last one renames over an
    equal one. Behind it the files that were opened longest ago are removed until the folder is
    within its budget; only here, because opening what is there makes the folder no larger.

    A file that any process still maps stays: to remove it would free no space. Should one go all
    the same, at the moment in which another process opens it, Linux keeps its pages for whoever
    has mapped it, and Windows refuses to remove it.
    """
    stem = folder / hashlib.sha256(key.encode()).hexdigest()[:24]
    decoded = False
    while True:
        try:
            opened = _map(stem)
            break
        except FileNotFoundError:  # new, or removed by another process a moment ago
            folder.mkdir(parents=True, exist_ok=True)
            _write(stem, decode)
            decoded = True
    if decoded:
        _make_room(folder, budget_bytes)
    return opened


def _map(stem: Path) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    path = stem.with_suffix(".rgb")
    with path.open("rb") as file:
        # before the record is read; held until the last view of the array is gone, because the
        # mapping keeps a duplicate of the descriptor
        _mark_used(file)
        facts = json.loads(stem.with_suffix(".json").read_text())
        # reading need not set it: many file systems are mounted with noatime
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        return np.memmap(file, np.uint8, "r", shape=tuple(facts["shape"])), facts


def _write(stem: Path, decode: Callable[[BinaryIO], dict[str, Any]]) -> None:
    """Write the frames and then, as the sign that they are whole, the record."""
    mark = f".{os.getpid()}.part"
    pixels, record = stem.with_suffix(mark + "1"), stem.with_suffix(mark + "2")
    try:
        with pixels.open("wb") as file:
            facts = decode(file)
        record.write_text(json.dumps(facts))
        pixels.replace(stem.with_suffix(".rgb"))
        record.replace(stem.with_suffix(".json"))
    finally:
        pixels.unlink(missing_ok=True)
        record.unlink(missing_ok=True)


def _make_room(folder: Path, budget_bytes: int) -> None:
    """Remove what killed writers left, and files until the rest is within the budget."""
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process makes room too
            stat = path.stat()
            if ".part" in path.suffix:
                if time.time() - stat.st_mtime > ABANDONED_S:
                    path.unlink()
            elif path.suffix == ".rgb":
                files.append((stat.st_atime_ns, stat.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= budget_bytes:
            return
        if _remove(path):
            total -= size


def _remove(path: Path) -> bool:
    """Remove frames and their record; False if they are in use or can't be removed."""
    try:
        with path.open("r+b") as file:
            if _is_used(file):
                return False
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    path.with_suffix(".json").unlink(missing_ok=True)
    return True


def _mark_used(file: BinaryIO) -> None:
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks: `open_frames` says more
            fcntl.flock(file, fcntl.LOCK_SH)


def _is_used(file: BinaryIO) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
