"""One connection to a live source, as all that reads one gives it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, Protocol

import av

from stream.errors import OpenError, SourceError
from stream.frame import Planes, StreamInfo
from stream.sound import SoundFormat, SoundPacket

MICROSECONDS = Fraction(1, 1_000_000)
"""The time base of sources that have no clock of their own."""


MAX_PIXELS = 8192 * 4352
"""Of one frame from a live source, 8K and a little; a larger one is not decoded.

What a stream may turn into midway costs its sender some bytes, and us 1.5 to 16 bytes a pixel.
"""

TOO_LARGE = f"frames of more than {MAX_PIXELS / 1e6:.0f} megapixels are not taken"


class Arrival(NamedTuple):
    """A picture, and when it came."""

    planes: Planes
    pts: int | None
    """In units of ``StreamInfo.time_base``; None where the source says nothing of time."""

    arrived_s: float
    """In seconds of ``time.perf_counter()``, when the last of its bytes came."""

    sound: tuple[SoundPacket, ...] = ()
    """What came of it since the picture before, in seconds of the source's own clock."""


class Connection(Protocol):
    """One connection to a live source, open from its making on; used on one thread."""

    info: StreamInfo
    """What it delivers; ``duration_s`` says that it is recorded, and ends."""

    buffer_s: float
    """How late its pictures may be shown to keep their pace; see `LiveClock.begin`."""

    @property
    def sound(self) -> SoundFormat | None:
        """What comes beside the pictures; None where there is none, or nobody asked for it."""

    @property
    def decode_failures(self) -> int:
        """Pictures that could not be decoded so far; they are missing."""

    def pictures(self) -> Iterator[Arrival]:
        """Each picture as soon as it is there.

        Raises:
            SourceError: The connection is lost, or nothing has come for too long.
        """

    def close(self) -> None:
        """Let go of it; may be called twice."""


def first_of(
    pictures: Iterator[tuple[av.VideoFrame, float]], name: str
) -> tuple[av.VideoFrame, float]:
    """The first of a connection's pictures, and when it came.

    Raises:
        OpenError: There is none; ``name`` says where.
    """
    try:
        first = next(pictures, None)
    except SourceError as error:
        raise OpenError(f"{name}: {error}") from error
    if first is None:
        raise OpenError(f"{name} ended before its first picture")
    return first
