"""What a user calls a source, and the source it means."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from stream.errors import OpenError
from stream.stages import Source

KINDS = "test:[WIDTHxHEIGHT][@FPS] or a file with --realtime"
_TEST = re.compile(r"(?:(\d{2,5})x(\d{2,5}))?(?:@(\d{1,3}(?:\.\d+)?))?")


def open_source(address: str, *, realtime: bool = False) -> Source:
    """Open a live source.

    Args:
        address: One of `KINDS`.
        realtime: Play a file at its own pace.

    Raises:
        OpenError: It means nothing, or what it means cannot be opened.
    """
    kind, colon, rest = address.partition(":")
    if kind == "test" and colon:
        return _test(rest)
    if not Path(address).exists():
        raise OpenError(f"{address} is no source; give {KINDS}")
    if not realtime:
        raise OpenError(
            f"{address} is a file: add --realtime to play it at its own pace, or use deblur clean"
        )
    from stream.capture.file import FileSource
    from stream.capture.realtime import RealtimeSource

    return RealtimeSource(FileSource(address))


def _test(mode: str) -> Source:
    from stream.capture.realtime import RealtimeSource
    from stream.capture.scene import SceneSource

    found = _TEST.fullmatch(mode)
    width, height = (int(found[1] or 1280), int(found[2] or 720)) if found else (0, 0)
    rate = Fraction(found[3] or 30) if found else Fraction(0)
    if not rate or width % 2 or height % 2 or min(width, height) < 64:
        raise OpenError(f"test:{mode} is no mode: write test:1280x720@30, even and from 64 up")
    return RealtimeSource(SceneSource(width, height, frame_rate=rate))
