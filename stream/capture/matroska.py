"""What a Matroska file says that FFmpeg's view of it hides. Reads the headers, no pictures.

Every element of tracks, chapters and tags is taken, except those that FFmpeg shows or a muxer
makes up anew, which are listed: so a new one is not missed. Numbers and names are those of RFC 9559
and RFC 9560 (EBML: RFC 8794).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_INFO, _TRACKS, _CHAPTERS, _TAGS = 0x1549A966, 0x1654AE6B, 0x1043A770, 0x1254C367
_MOST = 1 << 26  # bytes of a header; more is no header
_EDITION, _ATOM, _DISPLAY, _PROCESS = 0x45B9, 0xB6, 0x80, 0x6944
_ENTRY, _TAG, _TARGETS, _SIMPLE = 0xAE, 0x7373, 0x63C0, 0x67C8
_MASTERS = {
    *(_ENTRY, _EDITION, _ATOM, _DISPLAY, _PROCESS, 0x6911, 0x8F, _TAG, _TARGETS, _SIMPLE),
    *(0xE0, 0x7670, 0xE2, 0xE3, 0xE4, 0xE9, 0x41E4, 0x6624),
}
_TEXTS = {
    *(0x22B59C, 0x22B59D, 0x85, 0x437C, 0x437D, 0x437E, 0x45A3, 0x4487, 0x447A, 0x447B, 0x63CA),
    *(0x7BA9, 0x7384, 0x3C83AB, 0x3E83BB, 0x536E),
}
_VOID = {0xEC, 0xBF}
_LANGUAGE, _CHAPTER_LANGUAGE = 0x22B59D, 0x437D

# Of tracks: what FFmpeg shows or a muxer makes up. Colour, projection, crop and stereo are side
# data there, and the flags are dispositions.
_TRACK_KNOWN = {
    *(0xD7, 0x73C5, 0x83, 0xB9, 0x88, 0x55AA, 0x9C, 0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x537F),
    *(0x23314F, 0x55EE, 0x536E, 0x22B59C, 0x86, 0x63A2, 0x258688, 0xAA, 0x56AA, 0x56BB, 0x6D80),
    *(0x55AB, 0x55AC, 0x55AD, 0x55AE, 0x55AF, 0xE0, 0xE1, 0x41E4),
}
_TRACK_WORDS = {
    0x22B59D: "full languages of tracks",
    0x7446: "links of tracks to attachments",
    0x6FAB: "overlay tracks",
    0xE2: "combined tracks (3D)",
    0x6624: "track translations",
}
_CHAPTER_KNOWN = {0x73C4, 0x45BC, 0x45BD, 0x45DB, 0x4598, 0x91, 0x92, 0x98, 0x5654}
_CHAPTER_WORDS = {
    0x85: "second names of chapters",
    0x437D: "full languages of chapters",
    0x437E: "countries of chapters",
    0x45DD: "the playing order of chapters",
    0x6E67: "chapters in other files",
    0x6EBC: "chapters in other files",
    0x4588: "kinds of chapters",
    0x8F: "tracks of chapters",
    _PROCESS: "commands of chapters",
}
_INFO_WORDS = {
    0x3CB923: "links to other files",
    0x3C83AB: "links to other files",
    0x3EB923: "links to other files",
    0x3E83BB: "links to other files",
    0x4444: "links to other files",
    0x6924: "links to other files",
}
_MOVIE_LEVEL = 50


@dataclass(frozen=True, slots=True)
class Element:
    """One element, and those in it where it is a known master.

    Attributes:
        number: The element's ID, marker bits included.
        data: Its contents, undivided.
        children: In order; empty for what is no master.
    """

    number: int
    data: bytes
    children: tuple[Element, ...] = ()

    def all(self, number: int) -> Iterator[Element]:
        """Give the children with this ID."""
        return (child for child in self.children if child.number == number)

    def text(self, number: int, default: str = "") -> str:
        """Return the text of the first child with this ID."""
        return next((child.words for child in self.all(number)), default)

    def value(self, number: int, default: int = 0) -> int:
        """Return the number in the first child with this ID."""
        return next((int.from_bytes(child.data, "big") for child in self.all(number)), default)

    @property
    def words(self) -> str:
        """The contents as people read them."""
        if self.number in _TEXTS:
            return self.data.rstrip(b"\0").decode(errors="surrogateescape")
        return self.data.hex() if len(self.data) > 8 else str(int.from_bytes(self.data, "big"))


def hidden_in_elements(path: Path) -> dict[str, tuple[str, ...]]:
    """Return what FFmpeg hides of a Matroska file, by what it is in the user's words.

    Empty for other files, and for what is damaged there.

    Raises:
        OSError: The disk failed.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for element in headers(path):
        if element.number == _TRACKS:
            for track in element.all(_ENTRY):
                for words, value in _of_track(track):
                    found[words].append(value)
        elif element.number == _CHAPTERS:
            for words, value in _of_chapters(element):
                found[words].append(value)
        elif element.number == _TAGS:
            for words, value in _of_tags(element):
                found[words].append(value)
        elif element.number == _INFO:
            for child in element.children:
                if child.number in _INFO_WORDS:
                    found[_INFO_WORDS[child.number]].append(child.words)
    return {words: tuple(sorted(values)) for words, values in found.items()}


def headers(path: Path) -> list[Element]:
    """Return the elements of a file that describe it: information, tracks, chapters and tags."""
    with path.open("rb") as file:
        if _number(file) != _EBML:
            return []
        size = _size(file)
        file.seek(size or 0, 1)
        if size is None or _number(file) != _SEGMENT:
            return []
        _size(file)
        return list(_described(file, path.stat().st_size))


def count_segments(path: Path) -> int:
    """Return how many recordings lie one behind the other in a Matroska file; 0 in another.

    Raises:
        OSError: The disk failed.
    """
    count, end = 0, path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < end:
            number, size = _number(file), _size(file)
            if number not in (_EBML, _SEGMENT, *_VOID):
                break
            count += number == _SEGMENT
            if size is None:  # of a live recording, which goes on to where another begins
                break
            file.seek(size, 1)
    return count


def _described(file: BinaryIO, end: int) -> Iterator[Element]:
    while file.tell() < end:
        number, size = _number(file), _size(file)
        if number is None:
            return
        if size is None:  # a cluster of a live recording: its children follow one by one
            continue
        if number in (_INFO, _TRACKS, _CHAPTERS, _TAGS) and size <= _MOST:
            data = file.read(size)
            yield Element(number, data, tuple(_children(data)))
        else:
            file.seek(size, 1)


def _children(data: bytes) -> Iterator[Element]:
    place = 0
    while place < len(data):
        number, place = _read(data, place, keep_marker=True)
        size, place = _read(data, place)
        if number is None or size is None or place + size > len(data):
            return
        inner = data[place : place + size]
        place += size
        if number not in _VOID:
            children = tuple(_children(inner)) if number in _MASTERS else ()
            yield Element(number, inner, children)


def _read(data: bytes, place: int, *, keep_marker: bool = False) -> tuple[int | None, int]:
    """Read a number of variable length; None for an unknown size or what is none."""
    if place >= len(data) or not data[place]:
        return None, len(data)
    length = 9 - data[place].bit_length()
    raw = data[place : place + length]
    value = int.from_bytes(raw, "big")
    if keep_marker:
        return value, place + length
    bits = 7 * length
    value &= (1 << bits) - 1
    return (None if value == (1 << bits) - 1 else value), place + length


def _number(file: BinaryIO) -> int | None:
    return _next(file, keep_marker=True)


def _size(file: BinaryIO) -> int | None:
    return _next(file)


def _next(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    first = file.read(1)
    if not first or not first[0]:
        return None
    return _read(first + file.read(8 - first[0].bit_length()), 0, keep_marker=keep_marker)[0]


def _of_track(track: Element) -> Iterator[tuple[str, str]]:
    for child in track.children:
        if child.number == _LANGUAGE and "-" not in child.words:
            continue  # it says no more than the three letters that FFmpeg shows
        if child.number not in _TRACK_KNOWN:
            words = _TRACK_WORDS.get(child.number, f"element {child.number:X} of tracks")
            yield words, child.words


def _of_chapters(chapters: Element) -> Iterator[tuple[str, str]]:
    for number, edition in enumerate(chapters.all(_EDITION)):
        if number:
            yield "further lists of chapters", str(number)
        for child in edition.children:
            if child.number == _ATOM:
                yield from _of_chapter(child)
            elif child.number not in _CHAPTER_KNOWN and any(child.data):
                yield _chapter_words(child), child.words


def _of_chapter(atom: Element, deep: bool = False) -> Iterator[tuple[str, str]]:
    if deep:
        yield "sub-chapters", next((one.text(0x85) for one in atom.all(_DISPLAY)), "")
    for child in atom.children:
        if child.number == _ATOM:
            yield from _of_chapter(child, deep=True)
        elif child.number == _DISPLAY:
            continue
        elif child.number not in _CHAPTER_KNOWN:
            yield _chapter_words(child), child.words
    for number, display in enumerate(atom.all(_DISPLAY)):
        if number:
            yield _CHAPTER_WORDS[0x85], display.text(0x85)
        if (language := display.text(0x437C, "eng")) not in ("eng", "und"):
            yield "languages of chapters", f"{display.text(0x85)}: {language}"
        for child in display.children:
            if child.number == _CHAPTER_LANGUAGE and "-" not in child.words:
                continue
            if child.number not in (0x85, 0x437C):
                yield _chapter_words(child), child.words
    if atom.value(0x98):
        yield "hidden chapters", atom.text(0x73C4)


def _chapter_words(child: Element) -> str:
    return _CHAPTER_WORDS.get(child.number, f"element {child.number:X} of chapters")


def _of_tags(tags: Element) -> Iterator[tuple[str, str]]:
    for tag in tags.all(_TAG):
        targets = next(tag.all(_TARGETS), Element(_TARGETS, b""))
        level = targets.value(0x68CA, _MOVIE_LEVEL)
        for simple in tag.all(_SIMPLE):
            yield from _of_tag(simple, level)


def _of_tag(simple: Element, level: int, within: str = "") -> Iterator[tuple[str, str]]:
    name = within + simple.text(0x45A3)
    text = f"{name}: {simple.text(0x4487)}"
    if level != _MOVIE_LEVEL:
        yield "levels of tags", f"{text} ({level})"
    if within:
        yield "tags of tags", text
    if (language := simple.text(0x447B) or simple.text(0x447A, "und")) not in ("und", "eng"):
        yield "languages of tags", f"{text} ({language})"
    for data in simple.all(0x4485):
        yield "binary tags", f"{name}: {data.data.hex()}"
    for inner in simple.all(_SIMPLE):
        yield from _of_tag(inner, level, f"{name}/")
