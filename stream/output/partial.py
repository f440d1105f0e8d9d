"""A file that appears under its name only once it is whole. Knows nothing of what is in it.

Where the name is a link, the file that it points to is the one that is replaced, and what helps in
making it lies beside that, on its disk.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from stream.errors import SinkError
from stream.stills import is_there

_SHORT = 143


class PartialFile:
    """Written at `path` until `commit` renames it.

    Args:
        target: Where the file is to appear.
        overwrite: Whether a file may be there already; it stays until `commit`.
        path: On the same disk; a hidden name beside ``target`` where none is given.

    Raises:
        SinkError: It could not be put there in the end, so do not begin.
    """

    def __init__(self, target: Path, *, overwrite: bool = False, path: Path | None = None) -> None:
        require_free(target, overwrite=overwrite)
        self.target = target
        self.path = path or hidden_beside(target, f".{secrets.token_hex(4)}.partial")
        self._overwrite = overwrite

    def commit(self) -> None:
        """Make it durable, then give it its name in one step.

        Raises:
            SinkError: The disk failed, or the name was taken meanwhile.
        """
        require_free(self.target, overwrite=self._overwrite)
        try:
            place = real_place(self.target)
            sync(self.path)
            self.path.replace(place)
            sync(place.parent)
        except OSError as error:
            raise SinkError(f"{self.target} cannot be completed ({error.strerror})") from error

    def discard(self) -> None:
        """Leave nothing behind; after `commit` the file stays."""
        self.path.unlink(missing_ok=True)


def require_free(target: Path, *, overwrite: bool) -> None:
    """Check that a file can appear at ``target``.

    Raises:
        SinkError: The folder is missing, something is there already, or the name will not do.
    """
    try:
        folder = real_place(target).parent
        if not folder.is_dir():
            raise SinkError(f"the folder {folder} does not exist; create it first")
        if target.is_dir():
            raise SinkError(f"{target} is a folder; name a file in it")
        if target.exists() and not target.is_file():
            raise SinkError(f"{target} is a pipe or a device; name a file")
        if is_there(target) and not overwrite:
            raise SinkError(f"{target} exists; choose another name, or --overwrite it")
    except OSError as error:
        raise SinkError(f"{target} cannot be written ({error.strerror})") from error


def real_place(target: Path) -> Path:
    """Return where a file of this name comes to lie: a link's own target, or the name itself.

    Raises:
        SinkError: The link leads round in a circle.
    """
    if not target.is_symlink():
        return target
    place = Path(os.path.realpath(target))
    if place.is_symlink():
        raise SinkError(f"{target} is a link that leads to itself; remove it")
    return place


def hidden_beside(target: Path, tail: str) -> Path:
    """Return a hidden name in the folder of ``target``, always the same one.

    Args:
        target: A file's name.
        tail: What the hidden name ends in. It is as long as the target's at most, or 143 bytes:
            file systems take 255, those that encrypt names 143.

    Raises:
        SinkError: The target is a link that leads round in a circle.
    """
    place = real_place(target)
    raw = os.fsencode(place.name)
    limit = max(len(raw), _SHORT)
    name = f".{place.name}{tail}"
    if len(os.fsencode(name)) > limit:
        tail = f"~{hashlib.sha256(raw).hexdigest()[:8]}{tail}"
        name = f".{raw[: limit - len(tail) - 1].decode(errors='ignore')}{tail}"
    return place.with_name(name)


def sync(path: Path) -> None:
    """Bring a file's contents, or a folder's names, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders, and keeps names safe by itself
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
