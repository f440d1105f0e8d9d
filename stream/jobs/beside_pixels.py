"""What the source's pictures say beside their pixels, brought into numbered still pictures.

EXIF, ICC profile, XMP and the like lie in each picture's own file, which PNG, JPEG, TIFF and WebP
are also where a video's container holds them. Pictures belong together by the time they are shown.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.stream import Stream

from stream.capture.container import open_container, packets_of
from stream.capture.facts import FileFacts, StreamFacts, codec_of
from stream.capture.file import FileSource
from stream.capture.film import picture_stream
from stream.capture.parts import Parts
from stream.containers import MOV, Container
from stream.frame import StreamInfo
from stream.jobs.excerpt import TimeRange
from stream.jobs.losses import Finished, read_finished, turn_of
from stream.pyav import exact
from stream.still_metadata import ORIENTATIONS, StillMetadata, read_metadata, turned, with_metadata

_UPRIGHT = (1, 0, 0, 1)
_OF_FILES = frozenset({"png", "mjpeg", "tiff", "webp"})  # whose packets are whole files
# What containers of video say in their own way, if they do; it is compared elsewhere.
_OF_VIDEO = frozenset(
    ["rotation", "resolution", *(f"chunk {name}" for name in ("cHRM", "gAMA", "sRGB", "cICP"))]
    + [f"chunk {name}" for name in ("mDCV", "cLLI", "bKGD", "sBIT", "tIME")]
)
_FILES = ("image2", "_pipe")  # in the names of FFmpeg's demuxers of still pictures
OF_EACH_PICTURE = frozenset({"ICC profile"})
"""What is asked of each still picture here, and of the first one elsewhere."""


class BesidePixels:
    """What each picture of a source says, asked for in the order of time.

    Args:
        source: The video or the numbered pictures.
        info: The same.
        window: The part that is wanted.
    """

    def __init__(self, source: Path, info: StreamInfo, window: TimeRange) -> None:
        self._orientation = ORIENTATIONS.get(turn_of(info), 1)
        self._shift = window.shift(info)
        self._all = _timed(source) if info.codec in _OF_FILES else iter(())
        self._here: tuple[Fraction, StillMetadata] | None = None
        self._next = next(self._all, None)

    def at(self, time: Fraction) -> StillMetadata:
        """Return what is said of the picture shown at a time, in seconds of the output."""
        wanted = time - self._shift
        while self._next and (
            not self._here or abs(self._next[0] - wanted) <= abs(self._here[0] - wanted)
        ):
            self._here, self._next = self._next, next(self._all, None)
        metadata = self._here[1] if self._here else StillMetadata()
        return turned(metadata, self._orientation)

    def put_into(
        self, packets: Iterator[Packet[Stream]], shift: Fraction
    ) -> Iterator[Packet[Stream]]:
        """Give packets of still pictures that say what the source's say.

        Args:
            packets: In the order of time.
            shift: Seconds by which they will be moved to be in the time of the output.
        """
        for packet in packets:
            metadata = self.at((packet.pts or 0) * exact(packet.time_base) + shift)
            yield same_place(packet, with_metadata(bytes(packet), metadata))


def lost_of_stills(
    target: Path, source: Path, info: StreamInfo, window: TimeRange
) -> Iterator[str]:
    """Give one warning for each kind of thing that written pictures don't say any more.

    Args:
        target: The finished video, before it is taken apart.
        source: See `BesidePixels`, as for the rest.
        info: Of the source.
        window: Of the source.
    """
    before = BesidePixels(source, info, window)
    lost: Counter[str] = Counter()
    pictures = 0
    for time, after in _timed(target, of_files=True):
        pictures += 1
        given, found = before.at(time).facts(), after.facts()
        lost.update(words for words in given if not _holds(given[words], found.get(words)))
    for words, count in lost.items():
        those = "" if count == pictures else f" ({count} of {pictures} pictures)"
        yield f"{info.name}: its {words} cannot be kept{those}"
    if turn_of(info) not in (_UPRIGHT, *ORIENTATIONS):
        yield f"{info.name}: its rotation cannot be kept"


def tells_resolution(source: Path, info: StreamInfo) -> bool:
    """Return whether the first picture says how many pixels an inch has, across and down.

    FFmpeg takes the shape of pixels from it, and of TIFF another one than of PNG and JPEG.
    """
    pictures = _timed(source) if info.codec in _OF_FILES else iter(())
    return any(said.dpi for _, said in itertools.islice(pictures, 1))


def read_stills(target: Path, suffix: str) -> Finished:
    """Read a finished video as the files of one picture that it will be taken apart into.

    Args:
        target: See `lost_of_stills`.
        suffix: Of those files.

    Raises:
        SourceError: It cannot be read.
    """
    finished = read_finished(target)
    streams = tuple(
        StreamFacts(stream.index, stream.kind, stream.codec) for stream in finished.facts.streams
    )
    first = target.with_name(f"first{suffix}")
    with open_container(target) as container:
        packets = packets_of(container, [container.streams.video[0]], lambda: None)
        first.write_bytes(bytes(next(packets)))
    try:
        with contextlib.closing(FileSource(first)) as picture:
            info = picture.info
    finally:
        first.unlink()
    return Finished(FileFacts(streams, (), {}, {}, {}), finished.counts, info)


def still_container(suffix: str) -> Container:
    """Return what files of one picture are as a container; a film's tags have no place there."""
    return replace(
        MOV,
        name=suffix[1:].lower(),
        suffixes=(suffix,),
        keeps=frozenset(),
        no_dispositions=frozenset({"default"}),
    )


def lost_of_video(packet: Packet[Stream]) -> set[str]:
    """Return in words what a picture of the source says that no container of video holds."""
    if codec_of(packet.stream) not in _OF_FILES:
        return set()
    return set(_read(packet).facts()) - _OF_VIDEO


def same_place(packet: Packet[Stream], data: bytes) -> Packet[Stream]:
    """Return a packet of other bytes for the same time."""
    other: Packet[Stream] = Packet(data)
    other.stream, other.time_base = packet.stream, packet.time_base
    other.pts, other.dts, other.duration = packet.pts, packet.dts, packet.duration
    other.is_keyframe = packet.is_keyframe
    return other


def _holds(given: object, found: object) -> bool:
    """Return whether all that was given is there; of tags there may be more."""
    if isinstance(given, dict) and isinstance(found, dict):
        return given.items() <= found.items()
    return given == found


def _timed(path: Path, *, of_files: bool = False) -> Iterator[tuple[Fraction, StillMetadata]]:
    """Give the time of each picture in seconds, and what it says.

    Args:
        path: A video, or numbered pictures.
        of_files: Whether a video's pictures are meant to be files.
    """
    with open_container(path) as container:
        video = picture_stream(container, path)
        parts, unit = Parts(container, video), exact(video.time_base)
        for packet in packets_of(container, [video], lambda: None):
            parts.move(packet)
            time = packet.dts if packet.pts is None else packet.pts
            said = read_metadata(bytes(packet)) if of_files else _read(packet)
            yield (time or 0) * unit, said


def _read(packet: Packet[Stream]) -> StillMetadata:
    """Read a picture; in motion JPEG segments of no known kind are about its fields and tables."""
    metadata = read_metadata(bytes(packet))
    if any(name in packet.stream.container.format.name for name in _FILES):
        return metadata
    known = {
        words: piece
        for words, piece in metadata.pieces.items()
        if not words.startswith(("segment", "comment"))
    }
    return replace(metadata, pieces=known)
