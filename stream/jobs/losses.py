"""The independent eye: what a finished file no longer says that its source did.

Two files are compared by what they say of themselves (`stream.capture.facts`), whatever the muxer
was asked to do. Each difference is either intended, which is a table here, or a warning: so what
nobody thought of is named too.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.stream import Stream

from stream.capture.container import open_container, packets_of
from stream.capture.facts import ChapterFacts, FileFacts, StreamFacts, codec_of, facts_of
from stream.capture.file import FileSource
from stream.containers import CONTAINERS, Container
from stream.frame import ColorTags, StreamInfo
from stream.output.codecs import of_codec
from stream.pyav import exact

# Tags that the muxer writes itself, or that are true of the source's file only.
_STALE_TAGS = (
    *("major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id", "handler_name"),
    *("bps", "duration", "number_of_frames", "number_of_bytes", "_statistics_"),
)
_MUXER = "Lavf"  # how FFmpeg's own signature begins, under whatever key
_MADE_UP = ("Service01", "FFmpeg")  # names of programs that had none
# Side data that the pictures say too, or that belongs to an encoder and a transport.
_INTENDED_SIDE_DATA = {
    *("Display Matrix", "Mastering display metadata", "Content light level metadata"),
    *("CPB properties", "MPEGTS Stream ID", "Skip Samples", "Palette", "New Extradata"),
}
_SIDE_DATA_WORDS = {
    "DOVI configuration record": "Dolby Vision metadata",
    "EXIF metadata": "EXIF",
    "Frame Cropping": "crop",
    "ICC Profile": "ICC profile",
    "Spherical Mapping": "360-degree projection",
    "Stereo 3D": "stereoscopic layout",
    "Ambient viewing environment": "viewing environment",
}
# Codes of one language in ISO 639-2, of libraries and of others.
_CODES = (
    "alb/sqi arm/hye baq/eus bur/mya chi/zho cze/ces dut/nld fre/fra geo/kat ger/deu gre/ell "
    "ice/isl mac/mkd mao/mri may/msa per/fas rum/ron slo/slk tib/bod wel/cym"
)
_SAME_LANGUAGE = dict(pair.split("/") for pair in _CODES.split())
_OF_SCREENS = (1, 2, 6, 13, 14, 15)  # transfers: BT.709 or alike, sRGB, and none
_UNLIKE = Fraction(1, 1000)  # of shapes of pixels, which PNG tells in whole pixels a metre
_PAUSE = bytes(2)
_APART_S = Fraction(1, 10)
"""By how much a stream may begin or end elsewhere: containers round, and sound has its priming."""


@dataclass(slots=True)
class Count:
    """How much of a stream there is: packets, their bytes, and from when to when in seconds."""

    packets: int = 0
    size: int = 0
    first: Fraction | None = None
    end: Fraction = Fraction(0)

    def add(self, packet: Packet[Stream], shift: Fraction = Fraction(0)) -> None:
        """Count a packet whose time will be moved by ``shift`` seconds."""
        self.packets += 1
        self.size += packet.size
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            return
        unit = exact(packet.time_base)
        begin = time * unit + shift
        self.first = begin if self.first is None else min(self.first, begin)
        self.end = max(self.end, begin + (packet.duration or 0) * unit)


@dataclass(slots=True)
class Expected:
    """What a finished file should hold.

    Attributes:
        streams: Indexes in the source of the streams that are meant to be there, in order.
        converted: Those of them that were encoded anew.
        chapters: In the time of the finished file.
        late: What is in the pictures' packets and can't be kept, in words.
        counts: Of what was handed to the muxer, by index in the source.
    """

    streams: list[int] = field(default_factory=list)
    converted: set[int] = field(default_factory=set)
    chapters: tuple[ChapterFacts, ...] = ()
    late: set[str] = field(default_factory=set)
    counts: dict[int, Count] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished file, read once more."""

    facts: FileFacts
    counts: dict[int, Count]
    info: StreamInfo


def is_pause(packet: Packet[Stream]) -> bool:
    """Return whether a packet is MP4's "nothing to show until the next", which its muxer makes."""
    return packet.size == len(_PAUSE) and bytes(packet) == _PAUSE and is_text(packet.stream)


def is_text(stream: Stream) -> bool:
    """Return whether a stream is MP4's text."""
    return codec_of(stream) == "mov_text"


def read_finished(target: Path) -> Finished:
    """Read all of a finished file.

    Raises:
        SourceError: It cannot be read.
    """
    with open_container(target) as container:
        facts = facts_of(container, target)
        counts = {stream.index: Count() for stream in facts.streams}
        streams = [container.streams[index] for index in counts]
        for packet in packets_of(container, streams, lambda: None):
            if not is_pause(packet):
                counts[packet.stream.index].add(packet)
    with contextlib.closing(FileSource(target)) as written:
        return Finished(facts, counts, written.info)


def lost_tags(before: FileFacts, after: FileFacts) -> dict[str, str]:
    """Return the tags of a file, and of a broadcast's programs, that are not in the other file."""
    programs = {key: text for key, text in before.programs.items() if text not in _MADE_UP}
    lost = _lost({**programs, **before.tags}, {**after.programs, **after.tags})
    # a text that the source has in one language stands there without naming it, too
    return {key: text for key, text in lost.items() if key.rpartition("-")[0] not in before.tags}


def lost_languages(before: FileFacts, expected: Expected, after: FileFacts) -> dict[int, str]:
    """Return the languages of three letters that streams have lost, by index in the other file."""
    named = {stream.index: stream for stream in before.streams}
    return {
        other.index: named[index].language
        for index, other in _pairs(before, expected, after).items()
        if re.fullmatch("[a-z]{3}", named[index].language)
        and _common(named[index].language) != _common(other.language)
    }


def losses(
    before: FileFacts,
    info: StreamInfo,
    expected: Expected,
    finished: Finished,
    container: Container,
) -> list[str]:
    """Return one warning for each difference that is not intended.

    Args:
        before: Of the source.
        info: The source's pictures.
        expected: What was to be written.
        finished: The finished file.
        container: What it was written as.
    """
    after = finished.facts
    pairs = _pairs(before, expected, after)
    named = {stream.index: stream for stream in before.streams}
    missing = [named[index] for index in expected.streams if index not in pairs]
    warnings = [f"{stream} is not in the finished file" for stream in missing]
    for index, other in pairs.items():
        warnings += _stream_losses(named[index], other, container)
        if index in expected.counts and index not in expected.converted:
            warnings += _missing(named[index], expected.counts[index], finished.counts[other.index])
    warnings += _out_of_step(named, pairs, expected, finished, container)
    warnings += _chapter_losses(info.name, expected.chapters, after.chapters, container)
    if tags := lost_tags(before, after):
        warnings.append(_told(info.name, "tag", tags, "tags", container))
    main = next((other for other in pairs.values() if other.kind == "video"), None)
    warnings += _picture_losses(info, finished.info, container)
    source = named.get(expected.streams[0] if not main else _index_of(pairs, main))
    warnings += _beside_pictures(info, expected.late, source, finished.info, main)
    warnings += _hidden_losses(info.name, before, after, container)
    return list(dict.fromkeys(warnings))


def _index_of(pairs: dict[int, StreamFacts], main: StreamFacts) -> int:
    return next(index for index, other in pairs.items() if other is main)


def _group(stream: StreamFacts) -> str:
    return "cover" if "attached_pic" in stream.dispositions else stream.kind


def _pairs(before: FileFacts, expected: Expected, after: FileFacts) -> dict[int, StreamFacts]:
    """Each stream's counterpart: the next of its kind, and of its codec where some are missing."""
    pairs: dict[int, StreamFacts] = {}
    wanted = [stream for stream in before.streams if stream.index in expected.streams]
    for group in dict.fromkeys(map(_group, wanted)):
        ones = [stream for stream in wanted if _group(stream) == group]
        others = [stream for stream in after.streams if _group(stream) == group]
        if len(ones) <= len(others):
            pairs.update(zip((one.index for one in ones), others, strict=False))
            continue
        for one in ones:
            if others and _alike(one, others[0]):
                pairs[one.index] = others.pop(0)
    return pairs


def _alike(one: StreamFacts, other: StreamFacts) -> bool:
    return (one.codec, _common(one.language)) == (other.codec, _common(other.language))


def _common(language: str) -> str:
    return _SAME_LANGUAGE.get(language, language)


def _lost(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    texts = {key: _comparable(text) for key, text in after.items()}
    return {
        key: text
        for key, text in before.items()
        if not key.startswith(_STALE_TAGS)
        and not text.startswith(_MUXER)
        and texts.get(key) != _comparable(text)
        and texts.get(key.rpartition("-")[0]) != _comparable(text)  # title-eng of title
    }


def _comparable(text: str) -> str:
    """Without the fraction of a second that only some containers keep of a time."""
    return text.replace(".000000Z", "Z").rstrip()


def _told(name: str, what: str, items: Iterable[str], kind: str, container: Container) -> str:
    words = list(items)
    said = f"{name}: {container.name} keeps no {what}{'s' * (len(words) > 1)} {', '.join(words)}"
    return said + _advice(kind, container)


def _advice(kind: str, container: Container) -> str:
    other = next((one for one in CONTAINERS if kind in one.keeps and one is not container), None)
    if kind in container.keeps or other is None:
        return ""
    return f"; {other.suffixes[0]} does"


def _stream_losses(stream: StreamFacts, other: StreamFacts, container: Container) -> Iterator[str]:
    if stream.language and _common(stream.language) != _common(other.language):
        yield f"{stream}: {container.name} keeps no language" + _advice("languages", container)
    flags = stream.dispositions - other.dispositions - container.no_dispositions
    if flags:
        words = [flag.replace("_", " ") for flag in sorted(flags)]
        yield _told(str(stream), "mark", words, "dispositions", container)
    tags = _lost(stream.tags, other.tags)
    tags.pop("creation_time", None)  # it is the file's
    if _group(stream) == "cover" and not container.attachments:
        tags = {key: text for key, text in tags.items() if key not in ("filename", "mimetype")}
    if tags:
        yield _told(str(stream), "tag", tags, "tags", container)
    if stream.data != other.data:
        yield f"{stream} is not the same in the finished file"


def _missing(stream: StreamFacts, given: Count, found: Count) -> Iterator[str]:
    """What of a stream did not arrive; PCM is cut anew by whoever reads it."""
    if stream.codec.startswith("pcm_"):
        if found.size < given.size:
            yield f"{stream}: {given.size - found.size} of {given.size} bytes are missing"
    elif found.packets < given.packets:
        lost = given.packets - found.packets
        yield f"{stream}: {lost} of {given.packets} packets are missing"


def _out_of_step(
    named: dict[int, StreamFacts],
    pairs: dict[int, StreamFacts],
    expected: Expected,
    finished: Finished,
    container: Container,
) -> Iterator[str]:
    """Streams that begin or end elsewhere, measured against the pictures."""
    if container.steady:
        return  # sound that begins elsewhere was refused
    moved = {}
    for index, other in pairs.items():
        given, found = expected.counts.get(index), finished.counts[other.index]
        cover = _group(other) == "cover"  # of the file, and at no time
        if given and not cover and given.first is not None and found.first is not None:
            moved[index] = (found.first - given.first, found.end - given.end)
    if not moved:
        return
    zero = next(iter(moved.values()))[0]
    for index, (first, end) in moved.items():
        if abs(first - zero) > _APART_S:
            yield f"{named[index]} begins {float(first - zero):+.2f} s out of step"
        elif (
            end - zero < -_APART_S
            and named[index].kind in ("video", "audio")
            and expected.counts[index].packets > 1  # a single picture has no end
        ):
            yield f"{named[index]} ends {float(zero - end):.2f} s early"


def _chapter_losses(
    name: str,
    before: Sequence[ChapterFacts],
    after: Sequence[ChapterFacts],
    container: Container,
) -> Iterator[str]:
    if len(after) < len(before):
        yield f"{name}: {container.name} keeps no chapters" + _advice("chapters", container)
        return
    lost: Counter[str] = Counter()
    for one, other in zip(before, after, strict=False):
        if abs(one.start - other.start) > _APART_S or abs(one.end - other.end) > _APART_S:
            lost["times"] += 1
        lost.update(_lost(one.tags, other.tags).keys())
    for words in lost:
        yield f"{name}: {container.name} keeps no {words} of chapters"


def _picture_losses(info: StreamInfo, after: StreamInfo, container: Container) -> Iterator[str]:
    """What a player will not learn of the pictures."""
    stated = _stated if info.color.rgb == after.color.rgb else _stated_of_rgb
    tags = zip(stated(info.color), stated(after.color), strict=True)
    lost = {
        "pixel shape": abs(_shape(info) / _shape(after) - 1) > _UNLIKE,
        "rotation": turn_of(info) != turn_of(after),
        "colour tags": any(one and one != other for one, other in tags),
    }
    words = [name for name, missing in lost.items() if missing]
    if words:
        suffix = container.suffixes[0]
        yield f"{info.name}: {after.codec} in {suffix} keeps no {' and no '.join(words)}"
    writers = of_codec(after.codec)  # of those that have no room for it, the choice has told
    if info.hdr and not after.hdr and any(info.hdr.encoder_flags(one.encoder) for one in writers):
        yield f"{info.name}: its HDR metadata cannot be kept"
    ranges = info.color.full_range, after.color.full_range
    if info.color.rgb == after.color.rgb and ranges == (True, False):
        suffix = container.suffixes[0]
        yield (
            f"{info.name}: {after.codec} in {suffix} cannot say that black is 0 and white 255: "
            "players will show more contrast, and lose what is darkest and brightest; "
            f"--codec {container.ranged_codec} keeps it"
        )


def _shape(info: StreamInfo) -> Fraction:
    return info.sample_aspect_ratio or Fraction(1)


def _stated(color: ColorTags) -> tuple[int, ...]:
    """The tags, with 0 for what is unspecified or means the same."""
    matrix = 6 if color.matrix == 5 else color.matrix  # one formula, two origins
    values = (color.primaries, color.transfer, matrix)
    return tuple(0 if value == 2 else value for value in values)


def _stated_of_rgb(color: ColorTags) -> tuple[int, ...]:
    """The primaries and transfer where YUV became RGB or back, with 0 for what screens expect."""
    primaries, transfer = color.primaries, color.transfer
    return (0 if primaries in (1, 2) else primaries, 0 if transfer in _OF_SCREENS else transfer)


def turn_of(info: StreamInfo) -> tuple[float, ...]:
    """Return the four numbers that turn and mirror, to 1/100; the others move and scale it all."""
    matrix = info.display_matrix or (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    return tuple(round(matrix[place] / (1 << 16), 2) + 0.0 for place in (0, 1, 3, 4))


def _beside_pictures(
    info: StreamInfo,
    late: set[str],
    stream: StreamFacts | None,
    after: StreamInfo,
    other: StreamFacts | None,
) -> Iterator[str]:
    """What pictures and container say of the pictures that isn't said any more."""
    before = dict.fromkeys((*info.not_carried, *sorted(late)), "")
    before.pop("interlacing", None)
    left = dict.fromkeys(after.not_carried, "")
    for facts, found in ((stream, before), (other, left)):
        for name, value in (facts.side_data if facts else {}).items():
            if name not in _INTENDED_SIDE_DATA:
                words = _SIDE_DATA_WORDS.get(name, name.lower())
                found[words] = value if words == "crop" else ""
    for words, value in before.items():
        if left.get(words) != value:
            yield f"{info.name}: its {words} cannot be kept" + (f" ({value})" if value else "")


def _hidden_losses(
    name: str, before: FileFacts, after: FileFacts, container: Container
) -> Iterator[str]:
    lost = [
        words
        for words, values in before.hidden.items()
        if Counter(values) - Counter(after.hidden.get(words, ()))
    ]
    if lost:
        yield f"{name}: {container.name} keeps no {', no '.join(lost)}"
