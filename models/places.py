"""Where a file of some name comes to lie: links stay links, and what they point to is written."""

import os
from pathlib import Path


def real_place(path: Path) -> Path:
    """Return what a link points to, whether that is there yet or not; of others the path itself.

    Raises:
        OSError: The link leads round in a circle.
    """
    if not path.is_symlink():
        return path
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise OSError(f"{path} is a link that leads to itself; remove it")
    return place
