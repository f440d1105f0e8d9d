"""Finds the JPEG pictures in a stream of bytes, whatever stands between them. Decodes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""Any but the escaped bytes and restarts that stand inside of compressed samples."""

_START, _END = 0xD8, 0xD9


class JpegParser:
    """Splits what cameras send over HTTP into pictures.

    A JPEG says itself where it ends, so neither the boundaries of multipart nor their lengths are
    needed: cameras leave out the first, name another one, or send none.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._at = 0  # all before has been looked at
        self._inside = False

    def __len__(self) -> int:
        """How many bytes of an unfinished picture are held."""
        return len(self._bytes)

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take some bytes and give each picture that they complete, a cut one as it is."""
        held = self._bytes
        held += block
        while found := _MARKER.search(held, self._at):
            begin, end = found.start(1) - 1, found.end()
            if found[1][0] == _START:
                if self._inside:
                    yield bytes(held[:begin])  # the next one begins: this one was cut off
                del held[:begin]
                self._inside, self._at = True, 2
            elif not self._inside:
                self._at = end
            elif found[1][0] == _END:
                yield bytes(held[:end])
                del held[:end]
                self._inside, self._at = False, 0
            elif len(held) < end + 2:
                self._at = begin
                return
            else:  # a header, which may hold a small picture of its own
                behind = end + int.from_bytes(held[end : end + 2])
                if behind > len(held):
                    self._at = begin
                    return
                self._at = behind
        if not self._inside:
            del held[:-1]
        self._at = max(0, len(held) - 1)
