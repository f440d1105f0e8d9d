"""Where the user's programs keep what can be made again."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

KEPT = 16
"""Files of a folder: those that were used last stay."""

_DIGEST = 32  # bytes that a file begins with, of what follows


def cache_folder(name: str) -> Path:
    """This program's folder of that name under XDG_CACHE_HOME, or ~/.cache; it may not exist."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # one that is not absolute does not count
    return (named if named.is_absolute() else Path.home() / ".cache") / "deblur" / name


def cached(folder: str, key: str, make: Callable[[], bytes]) -> bytes:
    """Return what `make` gives, which is kept under a key in a folder of the cache.

    It is made again where it is not there or not whole, and where there is no place for it.
    """
    try:
        path = cache_folder(folder) / hashlib.sha256(key.encode()).hexdigest()[:32]
    except RuntimeError:  # there is no home
        return make()
    content = _whole(path)
    if content is None:
        content = make()
        with contextlib.suppress(OSError):  # then it is made again next time
            _keep(path, content)
    return content


def _whole(path: Path) -> bytes | None:
    """Read a file of the cache; None where it is not as it was written."""
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        digest, content = content[:_DIGEST], content[_DIGEST:]
        if digest == hashlib.sha256(content).digest():
            os.utime(path)
            return content
    return None


def _keep(path: Path, content: bytes) -> None:
    """Write a file of the cache, whole or not at all, and remove those that are too many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        partial = Path(folder) / path.name
        partial.write_bytes(hashlib.sha256(content).digest() + content)
        partial.replace(path)
    files = [each for each in path.parent.iterdir() if each.is_file()]
    for old in sorted(files, key=lambda each: each.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
