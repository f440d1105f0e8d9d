"""The sound of a live source on its way past the pictures: what flows, and who takes it when.

Owns the hand-over between the capture thread and those of the outputs. Knows no codec: sound stays
compressed here.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

LIMIT_BYTES = 64 << 20
"""What may wait for one output, compressed; it waits no longer than the pictures beside it."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """What a decoder or a muxer has to know of sound before its first packet.

    Attributes:
        codec: FFmpeg's name, such as ``aac``.
        rate: Samples per second.
        channels: How many.
        setup: The codec's own header ("extradata").
        sample: A whole NUT or Matroska file of one packet, to be opened for all the rest.
    """

    codec: str
    rate: int
    channels: int
    setup: bytes = field(repr=False)
    sample: bytes = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """Some milliseconds of sound.

    Attributes:
        data: As the codec packs it.
        start_s: In seconds of the same clock as the pictures beside it.
        duration_s: In seconds; 0 where unknown.
        format: How to read it.
    """

    data: bytes = field(repr=False)
    start_s: Fraction
    duration_s: Fraction
    format: SoundFormat


class SoundTrack:
    """Hands the packets of one source to any number of readers. All of it from any thread."""

    def __init__(self) -> None:
        self.format: SoundFormat | None = None
        """Of what comes now; None where the source has no sound, or is not open yet."""
        self._packets = self._lost = 0
        self._readers: list[SoundReader] = []
        self._lock = threading.Lock()

    def put(self, packet: SoundPacket) -> None:
        """Hand one packet to all who read."""
        with self._lock:
            self._packets += 1
            for reader in self._readers:
                self._lost += reader.add(packet)

    def lose(self, count: int = 1) -> None:
        """Count packets that could not be placed or written."""
        with self._lock:
            self._lost += count

    def reader(self) -> SoundReader:
        """Return a reader of all that comes from now on."""
        made = SoundReader(self._lock, self._readers)
        with self._lock:
            self._readers.append(made)
        return made

    def report(self) -> dict[str, Any] | None:
        """JSON-ready; None where there is no sound."""
        if self.format is None:
            return None
        return {"codec": self.format.codec, "packets": self._packets, "lost": self._lost}


class SoundReader:
    """What waits for one output; made by `SoundTrack.reader`."""

    def __init__(self, lock: threading.Lock, readers: list[SoundReader]) -> None:
        self._lock = lock
        self._readers = readers
        self._waiting: deque[SoundPacket] = deque()
        self._bytes = 0

    def add(self, packet: SoundPacket) -> int:
        """Take one packet, and forget the oldest beyond `LIMIT_BYTES`; say how many were."""
        self._waiting.append(packet)
        self._bytes += len(packet.data)
        forgotten = 0
        while self._bytes > LIMIT_BYTES:
            self._bytes -= len(self._waiting.popleft().data)
            forgotten += 1
        return forgotten

    def take(self, before_s: Fraction) -> list[SoundPacket]:
        """Return what has come and begins before this moment, in order."""
        taken = []
        with self._lock:
            while self._waiting and self._waiting[0].start_s < before_s:
                taken.append(self._waiting.popleft())
                self._bytes -= len(taken[-1].data)
        return taken

    def close(self) -> None:
        """Take no more; may be called twice."""
        with self._lock:
            self._waiting.clear()
            if self in self._readers:
                self._readers.remove(self)
