"""What a decoded picture brings along beside its pixels."""

from __future__ import annotations

import math
import struct
from typing import cast

import av
from av.sidedata.sidedata import SideDataContainer, Type

from stream.hdr import HdrMetadata, read_hdr

# What we cannot write again, in the user's words.
_NOT_CARRIED = {
    Type.A53_CC: "closed captions",
    Type.DYNAMIC_HDR_PLUS: "HDR10+ metadata",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid metadata",
    Type.DOVI_METADATA: "Dolby Vision metadata",
    Type.STEREO3D: "stereoscopic layout",
    Type.SPHERICAL: "360-degree projection",
}


def display_matrix(picture: av.VideoFrame) -> tuple[int, ...] | None:
    """Row by row, or None where the picture is shown as it is."""
    matrix = _bytes(picture, Type.DISPLAYMATRIX)
    if matrix:
        return struct.unpack("=9i", matrix)
    return _turned(picture.rotation) if picture.rotation else None


def hdr_metadata(picture: av.VideoFrame) -> HdrMetadata | None:
    """Static HDR metadata, or None."""
    return read_hdr(
        _bytes(picture, Type.MASTERING_DISPLAY_METADATA),
        _bytes(picture, Type.CONTENT_LIGHT_LEVEL),
    )


def not_carried(picture: av.VideoFrame) -> tuple[str, ...]:
    """What of this picture will be missing from the output."""
    return tuple(words for kind, words in _NOT_CARRIED.items() if _bytes(picture, kind))


def _bytes(picture: av.VideoFrame, kind: Type) -> bytes | None:
    try:
        return bytes(cast(SideDataContainer, picture.side_data)[kind])
    except (KeyError, ValueError):  # the latter from PyAV 18 where there is EXIF, as in any TIFF
        return None


def _turned(degrees: int) -> tuple[int, ...]:
    """FFmpeg's av_display_rotation_set, for an angle counterclockwise."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = round(cosine * 65536), round(sine * 65536)
    return (a, -b, 0, b, a, 0, 0, 0, 1 << 30)
