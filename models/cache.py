"""Where the user's programs keep what can be made again."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """This program's folder of that name under XDG_CACHE_HOME, or ~/.cache; it may not exist."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # one that is not absolute does not count
    return (named if named.is_absolute() else Path.home() / ".cache") / "deblur" / name
