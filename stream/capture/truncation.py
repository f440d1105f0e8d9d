"""Whether a file is shorter than its own headers say. Decodes nothing.

FFmpeg ends a file that was cut off without a word where its index lies in front, as in MP4 for
the web.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_HEADER = 16  # bytes: as long as the head of a box, an EBML element or a chunk can be
_BEGINNINGS = tuple(
    re.compile(text, re.DOTALL)
    for text in (
        rb"FLV\x01.\0\0\0\x09",
        rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c",
        rb"\x89PNG\r\n\x1a\n",
    )
)
_LONGEST = 16  # bytes of a beginning
_NEAR = 1 << 18  # bytes behind the last packet: of sound, and of an index
_SLACK = 16  # bytes by which writers of AVI miscount


def is_truncated(path: Path) -> bool:
    """Whether MP4, MOV, Matroska, WebM or AVI is cut off; other containers do not tell.

    Sources: ISO/IEC 14496-12, 4.2 (boxes); RFC 8794, 4 to 6 (EBML); AVI's chunks as RIFF has them.

    Raises:
        OSError: It cannot be read.
    """
    size, place = path.stat().st_size, 0
    with path.open("rb") as file:
        start = file.read(4)
        part = {_EBML: _element, b"RIFF": _chunk}.get(start, _box)
        while place < size:
            file.seek(place)
            head = part(file.read(_HEADER))
            if head is None:
                return False
            holds_pictures, length = head
            place += length
            if holds_pictures and place > size:
                return True
    return False


def unread(path: Path, end: int) -> int:
    """Return how many bytes of a file FFmpeg leaves unread because another recording begins there.

    It reads FLV, ASF and APNG up to where another one begins; of others nothing is told.

    Args:
        path: The file.
        end: Where the last packet ends.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_LONGEST)
        beginning = next((one for one in _BEGINNINGS if one.match(start)), None)
        if beginning is None:
            return 0
        file.seek(end)
        found = beginning.search(file.read(_NEAR))
        return file.seek(0, os.SEEK_END) - end - found.start() if found else 0


# What follows reads the head of one part of a file: whether it is one of those that hold pictures,
# and how long it is with its head; None where the rest of the file is not divided any more.


def _box(head: bytes) -> tuple[bool, int] | None:
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return (kind == b"mdat", length) if length >= 8 else None


def _element(head: bytes) -> tuple[bool, int] | None:
    kind = head[: _width(head)]
    rest = head[len(kind) :]
    width = _width(rest)
    if not width:
        return None
    length = int.from_bytes(rest[:width], "big") & ((1 << 7 * width) - 1)
    if length == (1 << 7 * width) - 1:  # unknown, as while it is being written
        return None
    return kind == _SEGMENT, len(kind) + width + length


def _chunk(head: bytes) -> tuple[bool, int] | None:
    if head[:4] != b"RIFF":
        return None
    return True, max(8, int.from_bytes(head[4:8], "little") + 8 - _SLACK)


def _width(head: bytes) -> int:
    """Bytes of an EBML number, told by the zeros it begins with; 0 where there is none."""
    return 9 - head[0].bit_length() if head and head[0] else 0
