"""What a decoded picture brings along beside its pixels.

Side data is asked of FFmpeg's ``sidedata`` filter, one kind at a time. PyAV's own view of a picture
is opened only where a single kind is left that it can name and that has no tags of its own: it
fails on kinds that it doesn't know (EXIF in PyAV 18), hiding all others, and frees the tags of an
ICC profile, which belong to the picture, so that the program crashes (``wrap_dictionary`` in
PyAV 18's ``av/sidedata/sidedata.py``).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, cast

import av
from av.filter import Graph
from av.packet import Packet
from av.sidedata.sidedata import Type
from av.stream import Stream

from stream.hdr import HdrMetadata, read_hdr
from stream.pyav import exact

# FFmpeg's numbers (AVFrameSideDataType, to which new ones are only appended) of what we cannot
# write again, in the user's words.
_NOT_CARRIED = {
    1: "closed captions",
    2: "stereoscopic layout",
    13: "360-degree projection",
    15: "ICC profile",
    17: "HDR10+ metadata",
    24: "Dolby Vision metadata",
    25: "HDR Vivid metadata",
    29: "further views (spatial video)",
}
# How the same begins in a packet: user data registered by ITU-T T.35, or MPEG-2's and DVD's own.
_SIGNATURES = {
    b"\xb5\x00\x31GA94\x03": "closed captions",
    b"\x00\x00\x01\xb2GA94\x03": "closed captions",
    b"\x00\x00\x01\xb2CC\x01\xf8": "closed captions",
    b"\xb5\x00\x3c\x00\x01\x04": "HDR10+ metadata",
}
_SIGNED = frozenset({"h264", "hevc", "av1", "mpeg1video", "mpeg2video"})
_KINDS = range(64)  # more than FFmpeg has


def display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    """Return FFmpeg's matrix row by row, or None where the picture is shown as it is."""
    matrix = _bytes(picture, Type.DISPLAYMATRIX)
    return struct.unpack("=9i", matrix) if matrix else None


def hdr_metadata(picture: av.VideoFrame) -> HdrMetadata | None:
    """Return the static HDR metadata, or None."""
    return read_hdr(
        _bytes(picture, Type.MASTERING_DISPLAY_METADATA),
        _bytes(picture, Type.CONTENT_LIGHT_LEVEL),
    )


def not_carried(picture: av.VideoFrame) -> tuple[str, ...]:
    """Return in words what of this picture will be missing from the output."""
    return tuple(words for kind, words in _NOT_CARRIED.items() if _selected(picture, kind))


def not_carried_of(packet: Packet[Stream], codec: str) -> set[str]:
    """Return the same of a packet that isn't decoded, as far as it can be told from its bytes."""
    if codec not in _SIGNED:
        return set()
    data = bytes(packet)
    return {words for signature, words in _SIGNATURES.items() if signature in data}


def _bytes(picture: av.VideoFrame, kind: Type) -> bytes | None:
    number = cast(int, kind.value)
    others = [f"mode=delete:type={other}" for other in _KINDS if other != number]
    alone = _selected(picture, number, others)
    return None if alone is None else bytes(cast(Any, alone.side_data)[kind])


def _selected(
    picture: av.VideoFrame, kind: int, deletions: Sequence[str] = ()
) -> av.VideoFrame | None:
    """Return the picture, after ``deletions``, if it has side data of this kind."""
    graph = Graph()
    graph.threads = 1
    last = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=exact(picture.time_base) or Fraction(1, 25),
    )
    for arguments in (f"mode=select:type={kind}", *deletions):
        last.link_to(following := graph.add("sidedata", arguments))
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    graph.vpush(picture)
    try:
        return graph.vpull()
    except av.BlockingIOError:
        return None
