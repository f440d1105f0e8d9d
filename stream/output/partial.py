"""A file that appears under its name only once it is whole. Knows nothing of what is in it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from stream.errors import SinkError
from stream.stills import is_there


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
        hidden = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        self.path = path or hidden
        self._overwrite = overwrite

    def commit(self) -> None:
        """Make it durable, then give it its name in one step.

        Raises:
            SinkError: The disk failed, or the name was taken meanwhile.
        """
        require_free(self.target, overwrite=self._overwrite)
        try:
            sync(self.path)
            self.path.replace(self.target)
            sync(self.target.parent)
        except OSError as error:
            raise SinkError(f"{self.target} cannot be completed ({error.strerror})") from error

    def discard(self) -> None:
        """Leave nothing behind; after `commit` the file stays."""
        self.path.unlink(missing_ok=True)


def require_free(target: Path, *, overwrite: bool) -> None:
    """Check that a file can appear at ``target``.

    Raises:
        SinkError: The folder is missing, or something is there already.
    """
    if not target.parent.is_dir():
        raise SinkError(f"the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise SinkError(f"{target} is a folder; name a file in it")
    if is_there(target) and not overwrite:
        raise SinkError(f"{target} exists; choose another name, or --overwrite it")


def sync(path: Path) -> None:
    """Bring a file's contents, or a folder's names, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders, and keeps names safe by itself
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
