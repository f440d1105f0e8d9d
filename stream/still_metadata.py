"""What a still picture says beside its pixels: EXIF, ICC profile, XMP, resolution, and the rest.

Reads and writes the bytes of PNG, JPEG and TIFF, and reads those of WebP; decodes nothing. Layouts
are those of PNG (third edition), JPEG (ITU-T T.81, JFIF), Exif 2.32 and the ICC's own annex.
"""

from __future__ import annotations

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from stream.tiff_tags import (
    ICC_PROFILE,
    ORIENTATION,
    PIXELS,
    RESOLUTION,
    XMP,
    Tag,
    Tags,
    read_tags,
    with_tags,
    written_block,
)

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_TIFF = (b"II*\0", b"MM\0*")
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JFIF = b"JFIF\0"
_PNG_XMP = b"XML:com.adobe.xmp"
_SEGMENT = 65533  # bytes that a segment of a JPEG holds
_PROFILE = 1 << 26  # bytes of an ICC profile; more is damage
_INCH = 0.0254  # metres
_FORMULA, _SOFTWARE = 0x106, 0x131  # TIFF's PhotometricInterpretation and Software

# Of PNG: what is made anew with the pixels, and what only fits the same layout of them.
_PNG_PIXELS = {b"tRNS", b"hIST", b"acTL", b"fcTL", b"fdAT"}
_PNG_OF_LAYOUT = {b"bKGD", b"sBIT"}
_PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
# Of PNG: chunks that stay true when the pixels change, as those do that say so in their name.
_PNG_LASTING = _PNG_TEXTS | {b"cHRM", b"gAMA", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"tIME", b"sPLT"}
_PNG_WORDS = {b"caBX": "content credentials"}
# Of JPEG: how a segment begins, and what it is.
_JPEG_WORDS = {
    (0xE2, b"MPF\0"): "further pictures (MPF)",
    (0xEB, b"JP"): "content credentials",
    (0xED, b"Photoshop 3.0\0"): "IPTC data",
}
_OF_THESE_PIXELS = {"further pictures (MPF)", "content credentials"}
_COMMENT = 0xFE
_OF_ENCODERS = (b"Lavc", b"CS=", b"CREATOR: gd-jpeg")  # comments that speak of the encoding
_ENDS = {0xD9, 0xDA}  # the end of a JPEG, or of what comes before its pixels

ORIENTATIONS: dict[tuple[float, ...], int] = {
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""EXIF's number for the four numbers of a display matrix that turn and mirror."""


@dataclass(frozen=True, slots=True)
class StillMetadata:
    """What one picture says beside its pixels.

    Attributes:
        exif: A block of EXIF as TIFF lays it out, without a name before it; or empty.
        icc: A colour profile; or empty.
        xmp: A packet of XMP; or empty.
        dpi: Pixels an inch, across and down.
        kind: ``png``, ``jpeg``, ``tiff``, ``webp``, or "" for another picture.
        pieces: Chunks or segments of this kind of file alone, whole, by what they are in words.
    """

    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    dpi: tuple[int, int] | None = None
    kind: str = ""
    pieces: dict[str, bytes] = field(default_factory=dict)

    @property
    def orientation(self) -> int:
        """EXIF's number for how the picture is to be turned; 1 for not at all."""
        tag = read_tags(self.exif).get(("", ORIENTATION))
        return int(next(iter(tag.numbers()), 1)) if tag else 1

    def facts(self) -> dict[str, object]:
        """Return what is there, by what it is in words; EXIF tag by tag, whatever its layout."""
        tags = {
            key: tag
            for key, tag in read_tags(self.exif).items()
            if key != ("", ORIENTATION) and key[1] not in RESOLUTION
        }
        found: dict[str, object] = {
            "EXIF": tags,
            "rotation": self.orientation if self.orientation != 1 else None,
            "ICC profile": self.icc,
            "XMP": self.xmp,
            "resolution": self.dpi,
            **self.pieces,
        }
        return {words: value for words, value in found.items() if value}


def read_metadata(picture: bytes) -> StillMetadata:
    """Return what a whole PNG, JPEG, TIFF or WebP says; of others, and of damage, nothing."""
    try:
        if picture.startswith(_PNG):
            return _read_png(picture)
        if picture.startswith(_JPEG):
            return _read_jpeg(picture)
        if picture.startswith(b"RIFF") and picture[8:12] == b"WEBP":
            return _read_webp(picture)
        if picture.startswith(_TIFF):
            return _read_tiff(picture)
    except (struct.error, zlib.error, IndexError):
        pass
    return StillMetadata()


def with_metadata(picture: bytes, metadata: StillMetadata) -> bytes:
    """Return a PNG, JPEG or TIFF that says ``metadata`` as far as it can; others as they are."""
    if picture.startswith(_PNG):
        return _with_png(picture, metadata)
    if picture.startswith(_JPEG):
        return _with_jpeg(picture, metadata)
    if picture.startswith(_TIFF):
        return _with_tiff(picture, metadata)
    return picture


def turned(metadata: StillMetadata, orientation: int) -> StillMetadata:
    """Return the metadata with EXIF that turns the picture, unless it has some that does."""
    if orientation == 1 or metadata.orientation != 1:
        return metadata
    tags = read_tags(metadata.exif) | {("", ORIENTATION): Tag.short(orientation)}
    return replace(metadata, exif=written_block(tags))


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the kind and contents of each chunk of a PNG."""
    place = len(_PNG)
    while place + 12 <= len(picture):
        size, kind = struct.unpack_from(">I4s", picture, place)
        yield kind, picture[place + 8 : place + 8 + size]
        place += 12 + size


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _read_png(picture: bytes) -> StillMetadata:
    found = StillMetadata(kind="png")
    pieces: dict[str, bytes] = defaultdict(bytes)
    for kind, data in _chunks(picture):
        if kind == b"eXIf":
            found = replace(found, exif=data.removeprefix(_EXIF))
        elif kind == b"iCCP":
            packed = data.partition(b"\0")[2][1:]
            found = replace(found, icc=zlib.decompressobj().decompress(packed, _PROFILE))
        elif kind == b"iTXt" and data.startswith(_PNG_XMP + bytes(3)):
            found = replace(found, xmp=data[len(_PNG_XMP) + 5 :])
        elif kind == b"pHYs":
            x, y, unit = struct.unpack(">2IB", data)
            if unit:
                found = replace(found, dpi=(round(x * _INCH), round(y * _INCH)))
        elif kind[:1].islower() and kind not in _PNG_PIXELS:
            pieces[_png_words(kind, data)] += _chunk(kind, data)
    return replace(found, pieces=dict(pieces))


def _png_words(kind: bytes, data: bytes) -> str:
    if kind in _PNG_TEXTS:
        return f"text {data.partition(bytes(1))[0].decode('latin-1')!r}"
    return _PNG_WORDS.get(kind, f"chunk {kind.decode('latin-1')}")


def _with_png(picture: bytes, metadata: StillMetadata) -> bytes:
    there = {kind: data for kind, data in _chunks(picture) if kind != b"IDAT"}
    layout = there.get(b"IHDR", b"")[8:10]  # depth and kind of colour
    grey = layout[1:] in (b"\0", b"\4")
    new: list[bytes] = []
    if metadata.icc and _suits(metadata.icc, grey=grey):
        new.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc, 9)))
    if metadata.exif:
        new.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        new.append(_chunk(b"iTXt", _PNG_XMP + bytes(5) + metadata.xmp))
    if metadata.dpi:
        per_metre = (round(number / _INCH) for number in metadata.dpi)
        new.append(_chunk(b"pHYs", struct.pack(">2IB", *per_metre, 1)))
    if metadata.kind == "png":
        for kind, data in _chunks(_PNG + b"".join(metadata.pieces.values())):
            if kind in _PNG_LASTING | _PNG_OF_LAYOUT or kind[3:].islower():
                new.append(_chunk(kind, data))
    given = {kind for kind, _ in _chunks(_PNG + b"".join(new))} - _PNG_TEXTS
    old = [(kind, data) for kind, data in _chunks(picture) if kind not in given]
    (head, ihdr), *rest = old
    return _PNG + _chunk(head, ihdr) + b"".join(new) + b"".join(_chunk(*chunk) for chunk in rest)


def _suits(profile: bytes, *, grey: bool) -> bool:
    """Return whether an ICC profile is for pixels of this kind; CMYK became RGB when decoded."""
    space = profile[16:20]
    return space != b"CMYK" and (space == b"GRAY") == grey


def _segments(picture: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Give the marker and contents of each segment before a JPEG's pixels, and where it ends."""
    place = len(_JPEG)
    while place + 4 <= len(picture) and picture[place] == 0xFF:
        marker = picture[place + 1]
        if marker == 0xFF:  # of a fill
            place += 1
            continue
        if marker in _ENDS:
            return
        (size,) = struct.unpack_from(">H", picture, place + 2)
        yield marker, picture[place + 4 : place + 2 + size], place + 2 + size
        place += 2 + size


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _read_jpeg(picture: bytes) -> StillMetadata:
    found = StillMetadata(kind="jpeg")
    profile: dict[int, bytes] = {}
    pieces: dict[str, bytes] = defaultdict(bytes)
    for marker, data, _ in _segments(picture):
        if marker == 0xE1 and data.startswith(_EXIF):
            found = replace(found, exif=found.exif or data[len(_EXIF) :])
        elif marker == 0xE1 and data.startswith(_XMP):
            found = replace(found, xmp=data[len(_XMP) :])
        elif marker == 0xE2 and data.startswith(_ICC):
            profile[data[len(_ICC)]] = data[len(_ICC) + 2 :]
        elif marker == 0xE0 and data.startswith(_JFIF):
            unit, x, y = struct.unpack_from(">B2H", data, 7)
            if unit and x and y:
                scale = 2.54 if unit == 2 else 1
                found = replace(found, dpi=(round(x * scale), round(y * scale)))
        elif words := _jpeg_words(marker, data):
            pieces[words] += _segment(marker, data)
    icc = b"".join(part for _, part in sorted(profile.items()))
    return replace(found, icc=icc, pieces=dict(pieces))


def _jpeg_words(marker: int, data: bytes) -> str:
    """Name what is of no other picture's kind; APP0 and APP14 belong to the pixels."""
    for (kind, begin), words in _JPEG_WORDS.items():
        if marker == kind and data.startswith(begin):
            return words
    if marker == _COMMENT:
        return "" if data.startswith(_OF_ENCODERS) else "comment"
    return f"segment APP{marker - 0xE0}" if 0xE1 <= marker <= 0xEF and marker != 0xEE else ""


def _with_jpeg(picture: bytes, metadata: StillMetadata) -> bytes:
    grey = any(
        marker in (0xC0, 0xC1, 0xC2) and data[5] == 1 for marker, data, _ in _segments(picture)
    )
    begin, head = len(_JPEG), b""
    for marker, data, end in _segments(picture):
        if marker != 0xE0:
            break
        begin, head = end, _segment(marker, data)
    if metadata.dpi and max(metadata.dpi) < 1 << 16:
        head = _segment(0xE0, _JFIF + struct.pack(">HB2H2x", 0x0101, 1, *metadata.dpi))
    new: list[tuple[int, bytes]] = []
    if metadata.exif:
        new.append((0xE1, _EXIF + metadata.exif))
    if metadata.xmp:
        new.append((0xE1, _XMP + metadata.xmp))
    if metadata.icc and _suits(metadata.icc, grey=grey):
        step = _SEGMENT - len(_ICC) - 2
        parts = [metadata.icc[at : at + step] for at in range(0, len(metadata.icc), step)]
        if len(parts) < 256:
            new += [
                (0xE2, _ICC + bytes([number, len(parts)]) + part)
                for number, part in enumerate(parts, 1)
            ]
    own = metadata.pieces if metadata.kind == "jpeg" else {}
    lasting = b"".join(data for words, data in own.items() if words not in _OF_THESE_PIXELS)
    written = b"".join(_segment(*segment) for segment in new if len(segment[1]) <= _SEGMENT)
    return _JPEG + head + written + lasting + picture[begin:]


def _read_webp(picture: bytes) -> StillMetadata:
    found: dict[bytes, bytes] = {}
    place = 12
    while place + 8 <= len(picture):
        kind, size = struct.unpack_from("<4sI", picture, place)
        found[kind] = picture[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    return StillMetadata(
        exif=found.get(b"EXIF", b"").removeprefix(_EXIF),
        icc=found.get(b"ICCP", b""),
        xmp=found.get(b"XMP ", b""),
        kind="webp",
    )


def _read_tiff(picture: bytes) -> StillMetadata:
    tags = read_tags(picture)
    icc, xmp = (tags.pop(("", number), Tag(7, b"")).data for number in (ICC_PROFILE, XMP))
    x, y, unit = (tags.get(("", number), Tag(7, b"")).numbers() for number in sorted(RESOLUTION))
    scale = 2.54 if unit == (3,) else 1
    dpi = (round(x[0] * scale), round(y[0] * scale)) if x and y and unit != (1,) else None
    tags.pop(("", _SOFTWARE), None)  # which wrote that file
    others = _said(tags)
    return StillMetadata(written_block(others) if others else b"", icc, xmp, dpi, "tiff")


def _with_tiff(picture: bytes, metadata: StillMetadata) -> bytes:
    tags = _said(read_tags(metadata.exif))
    grey = read_tags(picture).get(("", _FORMULA), Tag.short(2)).numbers() in ((0,), (1,))
    if metadata.icc and _suits(metadata.icc, grey=grey):
        tags["", ICC_PROFILE] = Tag(7, metadata.icc)
    if metadata.xmp:
        tags["", XMP] = Tag(1, metadata.xmp)
    if metadata.dpi:
        values = [Tag(5, struct.pack(">2I", number, 1)) for number in metadata.dpi]
        for number, tag in zip(sorted(RESOLUTION), (*values, Tag.short(2)), strict=True):
            tags["", number] = tag
    return with_tags(picture, tags) if tags else picture


def _said(tags: Tags) -> Tags:
    """Without what tells how the pixels lie, and their resolution, which is held apart."""
    return {key: tag for key, tag in tags.items() if key[0] or key[1] not in PIXELS | RESOLUTION}
