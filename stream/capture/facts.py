"""What a file says of itself beside its pixels: streams, tags, chapters, attachments, side data.

The view is FFmpeg's, through PyAV, and of what that hides the container's own: `hidden`. Nothing
is decoded. Two files of the same content have equal facts, whoever wrote them, as far as both
containers can tell them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.stream import AttachmentStream, Discard, Disposition, Stream

from stream.capture.boxes import hidden_in_boxes
from stream.capture.container import open_container
from stream.capture.matroska import hidden_in_elements
from stream.pyav import exact, talkative


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream.

    Attributes:
        index: Its place in the file.
        kind: ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``.
        codec: FFmpeg's name, or the container's four letters where FFmpeg has none; or "".
        language: As FFmpeg tells it, or "" where it is undetermined.
        dispositions: Names of FFmpeg's flags.
        tags: By key, in small letters.
        side_data: What the container says of the stream's pictures or sound: names and values in
            FFmpeg's words.
        data: An attachment's contents.
    """

    index: int
    kind: str
    codec: str = ""
    language: str = ""
    dispositions: frozenset[str] = frozenset()
    tags: dict[str, str] = field(default_factory=dict)
    side_data: dict[str, str] = field(default_factory=dict)
    data: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        """Name it as messages do."""
        codec = self.tags.get("filename", "") if self.kind == "attachment" else self.codec
        details = ", ".join(filter(None, (codec, self.language)))
        return f"{self.kind} stream {self.index}" + (f" ({details})" if details else "")


@dataclass(frozen=True, slots=True)
class ChapterFacts:
    """One chapter: seconds from the beginning, and tags by key in small letters."""

    start: Fraction
    end: Fraction
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file.

    Attributes:
        streams: Without those that FFmpeg makes up, such as the text of MP4's chapters.
        chapters: In order.
        tags: By key, in small letters.
        programs: The same of a broadcast's programs together.
        hidden: What FFmpeg's view does not tell, by what it is in the user's words: the values.
    """

    streams: tuple[StreamFacts, ...]
    chapters: tuple[ChapterFacts, ...]
    tags: dict[str, str]
    programs: dict[str, str]
    hidden: dict[str, tuple[str, ...]]


def read_facts(path: Path) -> FileFacts:
    """Read what a file says of itself.

    Raises:
        OpenError: See `open_container`.
    """
    with open_container(path) as container:
        return facts_of(container, path)


def facts_of(container: InputContainer, path: Path) -> FileFacts:
    """Return what an open file says of itself."""
    streams, programs = _described(container)
    hidden: dict[str, tuple[str, ...]] = {}
    if path.is_file():
        hidden = hidden_in_elements(path) or hidden_in_boxes(path)
    return FileFacts(
        streams=streams,
        chapters=tuple(map(chapter_facts, container.chapters())),
        tags=_lowered(container.metadata),
        programs=programs,
        hidden=hidden,
    )


def streams_of(container: InputContainer) -> tuple[StreamFacts, ...]:
    """Return what an open file says of its streams."""
    return _described(container)[0]


def _described(container: InputContainer) -> tuple[tuple[StreamFacts, ...], dict[str, str]]:
    sections, programs = _dumped(container)
    streams = tuple(
        _stream_facts(stream, sections.get(stream.index, ("", {})))
        for stream in container.streams
        if stream.discard is not Discard.all
    )
    return streams, programs


def codec_of(stream: Stream) -> str:
    """Return FFmpeg's name of a stream's codec, or "" where it knows none."""
    if stream.codec_context:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or ""  # where FFmpeg knows it but has no decoder


def _stream_facts(stream: Stream, dumped: tuple[str, dict[str, str]]) -> StreamFacts:
    tag, side_data = dumped
    tags = _lowered(stream.metadata)
    language = tags.pop("language", "")
    return StreamFacts(
        index=stream.index,
        kind=stream.type,
        codec=codec_of(stream) or tag,
        language="" if language == "und" else language,
        dispositions=frozenset(_names(stream.disposition)),
        tags=tags,
        side_data=side_data,
        data=stream.data if isinstance(stream, AttachmentStream) else b"",
    )


def _names(disposition: Disposition) -> Iterator[str]:
    for flag in Disposition:
        if flag.value and disposition & flag:
            yield str(flag.name)


def chapter_facts(chapter: Any) -> ChapterFacts:
    """Return what one of PyAV's chapters says."""
    unit = exact(chapter["time_base"]) or Fraction(1, av.time_base)
    return ChapterFacts(
        chapter["start"] * unit, chapter["end"] * unit, _lowered(chapter["metadata"])
    )


def _lowered(tags: dict[str, str]) -> dict[str, str]:
    return {key.lower(): text for key, text in tags.items()}


_STREAM = re.compile(r"  Stream #\d+:(\d+).*?: \w+: \S+(?: \([^/)]*\))?(?: \((\S+) / 0x)?")
_ENTRY = re.compile(r"\s+(.+?)\s*: (.*)")


def _dumped(
    container: InputContainer,
) -> tuple[dict[int, tuple[str, dict[str, str]]], dict[str, str]]:
    """Read what PyAV does not hand out from FFmpeg's description of the file for people.

    Returns the four letters and side data of each stream, and the tags of programs.
    """
    with talkative():
        text = str(cast(Any, container).dumps_format())
    streams: dict[int, tuple[str, dict[str, str]]] = {}
    programs: dict[str, str] = {}
    entries: dict[str, str] | None = None
    for line in text.splitlines():
        if found := _STREAM.match(line):
            side_data: dict[str, str] = {}
            streams[int(found[1])] = (found[2] or "", side_data)
            entries = None
        elif line.strip() == "Side data:":
            entries = side_data
        elif line.startswith("  Program "):
            entries = programs
        elif line.strip() == "Metadata:":
            entries = programs if entries is programs else None
        elif line[:2] != "  " or line[2:3] != " ":
            entries = None
        elif entries is not None and (entry := _ENTRY.fullmatch(line)):
            entries[entry[1]] = entry[2]
    return streams, programs
