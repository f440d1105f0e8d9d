"""A lock on a file that ends with the process that holds it, however that ends."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Locked(Exception):  # noqa: N818 - a state, not an error
    """Somebody else holds it."""


class Lock:
    """Held from the beginning until `release`.

    Where the file system knows no locks, it is held without effect.

    Args:
        path: A file of no other use; made if need be, and left there.

    Raises:
        Locked: Another process holds it, or another object of this one.
        OSError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take(path)
        except BaseException:
            self.release()
            raise

    def _take(self, path: Path) -> None:
        try:
            _lock(self._descriptor)
        except (BlockingIOError, PermissionError) as error:
            raise Locked from error
        except OSError:
            return
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(self._descriptor)):
                return
        raise Locked  # its holder has removed it meanwhile

    def release(self) -> None:
        """Let go; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
