"""The tags of TIFF and of EXIF, which is laid out alike: read, chosen from and written again.

Layouts are those of TIFF 6.0 and Exif 2.32. Everything is held in big-endian order, so that equal
tags are equal bytes, whoever wrote them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

_UNITS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}  # bytes that are one number
_SIZES = {1: 1, 2: 1, 5: 8, 6: 1, 7: 1, 10: 8}  # of a value where that is not its unit
_BELOW = {0x8769: "Exif", 0x8825: "GPS", 0xA005: "Interop"}  # tags that point to more tags


ORIENTATION = 0x112
ICC_PROFILE, XMP = 0x8773, 0x2BC
RESOLUTION = frozenset({0x11A, 0x11B, 0x128})
"""Across, down, and the unit: 2 for inches, 3 for centimetres."""
PIXELS = frozenset(
    [
        *range(0xFE, 0x10C),  # kind, size, depth, compression, formula, threshold, order of bits
        *(0x111, 0x115, 0x116, 0x117, 0x118, 0x119, 0x11C, 0x120, 0x121, 0x122, 0x123, 0x124),
        *(0x125, 0x12D, 0x13D, 0x140, 0x142, 0x143, 0x144, 0x145, 0x14A, 0x14C, 0x14D, 0x150),
        *(0x152, 0x153, 0x154, 0x155, 0x156, 0x15B, 0x200, 0x201, 0x202, 0x211, 0x212, 0x213),
        *(0x214, 0x828D, 0x828E),
    ]
)
"""Tags that tell where and how the pixels lie."""

Tags = dict[tuple[str, int], "Tag"]
"""By the directory's name ("" for the first) and the tag's number."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: the type of its values, and their bytes in big-endian order."""

    kind: int
    data: bytes

    @classmethod
    def short(cls, number: int) -> Tag:
        """Return a tag of one number of 16 bits."""
        return cls(3, struct.pack(">H", number))

    def numbers(self) -> tuple[float, ...]:
        """Return its values where they are integers or fractions, else none."""
        if self.kind in (3, 4):
            count = len(self.data) // _UNITS[self.kind]
            return struct.unpack(f">{count}{'H' if self.kind == 3 else 'I'}", self.data)
        if self.kind == 5:
            pairs = struct.iter_unpack(">2I", self.data)
            return tuple(above / below if below else 0.0 for above, below in pairs)
        return ()


def read_tags(block: bytes) -> Tags:
    """Return the tags of a block of EXIF, or of a TIFF's first picture; of damage, nothing.

    A thumbnail, which has a directory of its own, is left out.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    found: Tags = {}
    if order:
        (place,) = struct.unpack_from(f"{order}I", block.ljust(8, b"\0"), 4)
        _read(block, order, place, "", found)
    return found


def _read(block: bytes, order: str, place: int, name: str, found: Tags) -> None:
    if not 8 <= place <= len(block) - 2:
        return
    (count,) = struct.unpack_from(f"{order}H", block, place)
    for entry in range(place + 2, min(place + 2 + 12 * count, len(block) - 11), 12):
        number, kind, values = struct.unpack_from(f"{order}HHI", block, entry)
        size = values * _SIZES.get(kind, _UNITS.get(kind, 0))
        (at,) = struct.unpack_from(f"{order}I", block, entry + 8)
        if number in (_BELOW if not name else (0xA005,)):
            below = _BELOW[number]
            if not any(directory == below for directory, _ in found):
                _read(block, order, at, below, found)
            continue
        at = entry + 8 if size <= 4 else at
        data = block[at : at + size]
        if size and len(data) == size:
            found.setdefault((name, number), Tag(kind, _swapped(kind, data, order)))


def _swapped(kind: int, data: bytes, order: str) -> bytes:
    """Between an order and big-endian."""
    unit = _UNITS.get(kind, 1)
    if order == ">" or unit == 1:
        return data
    return b"".join(data[at : at + unit][::-1] for at in range(0, len(data), unit))


def written_block(tags: Mapping[tuple[str, int], Tag]) -> bytes:
    """Return a block of EXIF with these tags, in big-endian order."""
    return b"MM\0*" + struct.pack(">I", 8) + _written(tags, 8, ">")


def with_tags(picture: bytes, tags: Mapping[tuple[str, int], Tag]) -> bytes:
    """Return a TIFF with these tags, beside its own or in their place.

    Its first directory is written again behind all else; the pixels stay where they are.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}[picture[:4]]
    own = read_tags(picture)
    picture += bytes(len(picture) % 2)
    head = picture[:4] + struct.pack(f"{order}I", len(picture))
    return head + picture[8:] + _written(own | dict(tags), len(picture), order)


def _written(tags: Mapping[tuple[str, int], Tag], start: int, order: str) -> bytes:
    """Lay out a directory, and those below it, where ``start`` is its place in the file."""
    below = {number: name for number, name in _BELOW.items() if any(d == name for d, _ in tags)}
    if "Interop" in below.values():
        below.setdefault(0x8769, "Exif")  # which points to it
    return _directory(tags, below, "", start, order)


def _directory(
    tags: Mapping[tuple[str, int], Tag], below: dict[int, str], name: str, start: int, order: str
) -> bytes:
    own = {number: tag for (directory, number), tag in tags.items() if directory == name}
    pointers = {
        number: below[number]
        for number in below
        if (number == 0xA005) == (name == "Exif") and name in ("", "Exif")
    }
    numbers = sorted([*own, *pointers])
    entries, rest = struct.pack(f"{order}H", len(numbers)), b""
    end = start + 2 + 12 * len(numbers) + 4
    for number in numbers:
        if number in pointers:
            at = struct.pack(f"{order}I", end + len(rest))
            entries += struct.pack(f"{order}HHI", number, 4, 1) + at
            rest += _directory(tags, below, pointers[number], end + len(rest), order)
        else:
            tag = own[number]
            data = _swapped(tag.kind, tag.data, order)
            count = len(data) // _SIZES.get(tag.kind, _UNITS.get(tag.kind, 1))
            entries += struct.pack(f"{order}HHI", number, tag.kind, count)
            entries += (
                data.ljust(4, b"\0")
                if len(data) <= 4
                else struct.pack(f"{order}I", end + len(rest))
            )
            rest += data if len(data) > 4 else b""
        rest += bytes(len(rest) % 2)
    return entries + bytes(4) + rest
