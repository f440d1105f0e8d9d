"""MP4's and MOV's boxes: what they say that FFmpeg's view hides, and how to write it again.

Cameras keep what they know in two places: `udta` boxes with names of four letters, and `meta`,
whose keys are long (``com.apple.quicktime.make``). FFmpeg shows those that it knows by name, and
its muxer writes fewer. Layouts are those of ISO/IEC 14496-12 and the QuickTime File Format.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_MOST = 1 << 28  # bytes of a header; more is none
_NESTED = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"dinf"}
_TEXT = 1  # the type of a value that is UTF-8

# Of `udta`: what a muxer makes up, and what FFmpeg shows as tags (mov_read_udta_string).
_NAMES = "meta chpl hnti hinf kind loci manu modl name titl auth perf cprt dscp gnre albm yrrc FIRM"
_COPYRIGHT_SIGN_NAMES = (
    "ART PRD alb ard arg aut cmt com cpy day dir dis ed1 enc fmt gen grp hst inf key lyr mak mal "
    "mod nam phg prd prf prk prl req sne snk snm src st3 swr too trk url wrn wrt xyz"
)
_SHOWN = {name.encode() for name in _NAMES.split()}
_SHOWN |= {b"\xa9" + name.encode() for name in _COPYRIGHT_SIGN_NAMES.split()}
_TOP_KNOWN = {
    *(b"ftyp", b"styp", b"free", b"skip", b"wide", b"mdat", b"moov", b"moof", b"mfra", b"sidx"),
    *(b"pdin", b"pnot", b"ssix", b"prft", b"emsg"),
}
_TOP_WORDS = {b"uuid": "extension (box uuid)", b"meta": "items beside the film"}


@dataclass(slots=True)
class Box:
    """One box, and those in it where it is known to hold others."""

    kind: bytes
    data: bytes = b""
    children: list[Box] = field(default_factory=list)

    def first(self, kind: bytes) -> Box | None:
        """Return the first child of this kind, or None."""
        return next((child for child in self.children if child.kind == kind), None)

    def all(self, kind: bytes) -> Iterator[Box]:
        """Give the children of this kind."""
        return (child for child in self.children if child.kind == kind)

    def written(self) -> bytes:
        """Return the box as it lies in a file."""
        inner = b"".join(child.written() for child in self.children) if self.children else self.data
        return struct.pack(">I4s", 8 + len(inner), self.kind) + inner


@dataclass(frozen=True, slots=True)
class Value:
    """What a key of `meta` says: the type, language and bytes as they lie in the file."""

    kind: int
    locale: int
    data: bytes

    @classmethod
    def of(cls, text: str) -> Value:
        """Return the value of a text."""
        return cls(_TEXT, 0, text.encode(errors="surrogateescape"))


def hidden_in_boxes(path: Path) -> dict[str, tuple[str, ...]]:
    """Return what FFmpeg may hide of an MP4 or MOV file, by what it is in the user's words.

    Empty for other files, and for what is damaged there.

    Raises:
        OSError: The disk failed.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for kind in top_boxes(path):
        if kind not in _TOP_KNOWN:
            found[_TOP_WORDS.get(kind, f"box {_shown(kind)}")].append("")
    moov = read_moov(path)
    if moov is None:
        return {}
    for box in camera_boxes(moov):
        found[f"camera data {_shown(box.kind)}"].append(box.data.hex())
    for track in moov.all(b"trak"):
        for box in camera_boxes(track):
            found[f"camera data {_shown(box.kind)} of tracks"].append(box.data.hex())
        for key, value in keys_of(track).items():
            found[f"camera data {key} of tracks"].append(value.data.hex())
        if (media := track.first(b"mdia")) and (language := media.first(b"elng")):
            found["full languages of tracks"].append(_after_flags(language.data))
    return {words: tuple(sorted(values)) for words, values in found.items()}


def read_moov(path: Path) -> Box | None:
    """Return the description of the film; None for another kind of file."""
    with path.open("rb") as file:
        for kind, start, end in _places(path):
            if kind == b"moov" and end - start <= _MOST:
                file.seek(start)
                return _parsed(b"moov", file.read(end - start))
    return None


def camera_boxes(holder: Box) -> list[Box]:
    """Return those boxes of a film's or track's `udta` that FFmpeg doesn't show."""
    boxes = (box for udta in holder.all(b"udta") for box in udta.children)
    return [box for box in boxes if box.kind not in _SHOWN]


def keys_of(holder: Box) -> dict[str, Value]:
    """Return the keys and values of a film's or track's `meta`; of several values the first."""
    meta = holder.first(b"meta")
    parts = {box.kind: box.data for box in _boxes(meta.data)} if meta else {}
    if meta and b"keys" not in parts:  # ISO's has a version and flags
        parts = {box.kind: box.data for box in _boxes(meta.data[4:])}
    if b"keys" not in parts or b"ilst" not in parts:
        return {}
    names = [box.data.decode(errors="surrogateescape") for box in _boxes(parts[b"keys"][8:])]
    found = {}
    for item in _boxes(parts[b"ilst"]):
        place = int.from_bytes(item.kind, "big")
        value = next((box.data for box in _boxes(item.data) if box.kind == b"data"), b"")
        if 1 <= place <= len(names) and len(value) >= 8:
            kind, locale = struct.unpack_from(">2I", value)
            found[names[place - 1]] = Value(kind, locale, value[8:])
    return found


def add_to_film(
    path: Path, values: dict[str, Value], boxes: list[Box], languages: dict[int, str]
) -> None:
    """Write what FFmpeg has left out into a finished file whose `moov` is the last box.

    FFmpeg writes it there, so that nothing else moves.

    Args:
        path: The file.
        values: Keys of `meta`.
        boxes: Of `udta`.
        languages: Of tracks, by their place: three letters of ISO 639-2.

    Raises:
        OSError: The disk failed.
    """
    places = _places(path)
    moov = read_moov(path)
    if moov is None or not places or places[-1][0] != b"moov":
        return
    if values:
        moov.children.append(_meta({**keys_of(moov), **values}))
        first = moov.first(b"meta")
        if first is not moov.children[-1] and first is not None:
            moov.children.remove(first)
    tracks = list(moov.all(b"trak"))
    for place, language in languages.items():
        _set_language(tracks[place], language)
    if boxes:
        udta = moov.first(b"udta")
        if udta is None:
            udta = Box(b"udta")
            moov.children.append(udta)
        udta.children += boxes
    with path.open("r+b") as file:
        file.seek(places[-1][1] - 8)
        file.write(moov.written())


def _set_language(track: Box, language: str) -> None:
    """Pack it into the media's header; QuickTime knows those of MP4 too, FFmpeg writes its own."""
    media = track.first(b"mdia")
    header = media.first(b"mdhd") if media else None
    if header is None:
        return
    place = 32 if header.data[:1] == b"\1" else 20
    first, second, third = (ord(letter) - 0x60 for letter in language)
    packed = struct.pack(">H", first << 10 | second << 5 | third)
    header.data = header.data[:place] + packed + header.data[place + 2 :]


def _meta(values: dict[str, Value]) -> Box:
    keys = b"".join(
        Box(b"mdta", name.encode(errors="surrogateescape")).written() for name in values
    )
    items = b"".join(
        Box(
            struct.pack(">I", place),
            Box(b"data", struct.pack(">2I", value.kind, value.locale) + value.data).written(),
        ).written()
        for place, value in enumerate(values.values(), 1)
    )
    handler = Box(b"hdlr", struct.pack(">2I4s3Ix", 0, 0, b"mdta", 0, 0, 0))
    listed = Box(b"keys", struct.pack(">2I", 0, len(values)) + keys)
    return Box(b"meta", handler.written() + listed.written() + Box(b"ilst", items).written())


def _places(path: Path) -> list[tuple[bytes, int, int]]:
    """Kind, and where the contents begin and end, of each box of the file."""
    found: list[tuple[bytes, int, int]] = []
    end, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + 8 <= end:
            file.seek(place)
            size, kind = struct.unpack(">I4s", file.read(8))
            start = place + 8
            if size == 1:
                size, start = int.from_bytes(file.read(8), "big"), place + 16
            size = size or end - place
            if size < start - place or (not found and kind not in _TOP_KNOWN):
                return []  # not such a file
            found.append((kind, start, min(place + size, end)))
            place += size
    return found


def top_boxes(path: Path) -> list[bytes]:
    """Return the kinds of the boxes that a file is made of; of another kind of file none."""
    return [kind for kind, _, _ in _places(path)]


def _parsed(kind: bytes, data: bytes) -> Box:
    if kind not in _NESTED:
        return Box(kind, data)
    return Box(kind, data, [_parsed(box.kind, box.data) for box in _boxes(data)])


def _boxes(data: bytes) -> Iterator[Box]:
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if not 8 <= size <= len(data) - place:
            return
        yield Box(kind, data[place + 8 : place + size])
        place += size


def _after_flags(data: bytes) -> str:
    return data[4:].rstrip(b"\0").decode(errors="replace")


def _shown(kind: bytes) -> str:
    return kind.decode("latin-1").strip()
