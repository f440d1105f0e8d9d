"""Opening videos to learn from or to score on: with PyAV alone, of version 18 or 19."""

from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

# see stream/pyav.py: 19 has no such setting, and 18 would raise on tags that are not UTF-8
_ANY_TAGS: Any = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def open_video(path: Path) -> InputContainer:
    """Open a video for reading, whatever its tags are written in; raises what `av.open` does."""
    # the prefix keeps a colon in the name from being taken for a protocol
    container: InputContainer = av.open(f"file:{path}", mode="r", **_ANY_TAGS)
    return container
