"""A file that appears under its name only once it is whole. Knows nothing of what is in it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from stream.errors import SinkError


class PartialFile:
    """Written at `path`, a hidden name beside ``target``, until `commit` renames it.

    Args:
        target: Where the file is to appear.
        overwrite: Whether a file may be there already; it stays until `commit`.

    Raises:
        SinkError: It could not be put there in the end, so do not begin.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        require_free(target, overwrite=overwrite)
        self.target = target
        self.path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        self._overwrite = overwrite

    def commit(self) -> None:
        """Make it durable, then give it its name in one step.

        Raises:
            SinkError: The disk failed, or the name was taken meanwhile.
        """
        require_free(self.target, overwrite=self._overwrite)
        try:
            _sync(self.path)
            self.path.replace(self.target)
            _sync(self.target.parent)
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
    if target.exists() and not overwrite:
        raise SinkError(f"{target} exists; choose another name, or --overwrite it")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
