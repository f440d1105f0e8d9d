"""Still pictures with what cameras and editors write beside the pixels: ICC profiles, EXIF, HDR."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction

import av
import numpy as np

ICC = b"profile" * 40
EXIF = b"MM\x00\x2a\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, 0x112, 3, 1, 6, 0, 0)
P3 = (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)  # in 1/50000


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


CHUNKS = {
    "ICC profile": chunk(b"iCCP", b"mine\0\0" + zlib.compress(ICC)),
    "EXIF": chunk(b"eXIf", EXIF),
    "display": chunk(b"mDCV", struct.pack(">8H2I", *P3, 10_000_000, 1)),
    "light": chunk(b"cLLI", struct.pack(">2I", 10_000_000, 4_000_000)),
}


def still(*names: str, index: int = 0) -> bytes:
    """A PNG with these chunks."""
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 34, 22, "rgb24"
    encoder.time_base = Fraction(1, 25)
    pixels = np.full((22, 34, 3), 40 + index, np.uint8)
    made = encoder.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")) + encoder.encode(None)
    raw = b"".join(map(bytes, made))
    return raw[:33] + b"".join(CHUNKS[name] for name in names) + raw[33:]


def jpeg() -> bytes:
    """A JPEG that EXIF turns by a quarter."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 34, 22, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    made = [*encoder.encode(av.VideoFrame(34, 22, "yuvj420p")), *encoder.encode(None)]
    raw, tags = b"".join(map(bytes, made)), b"Exif\0\0" + EXIF
    return raw[:2] + b"\xff\xe1" + struct.pack(">H", len(tags) + 2) + tags + raw[2:]


def profile(space: bytes) -> bytes:
    """An ICC profile of these colours, larger than a segment of a JPEG."""
    return bytes(16) + space + b"profile" * 12_000


def exif(*, order: str = "<") -> bytes:
    """A block of EXIF: turned by a quarter, a model, an exposure of 1/50 s, and a place."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    exposure, latitude = struct.pack(f"{order}2I", 1, 50), struct.pack(f"{order}6I", *range(1, 7))
    begin, end = 8 + 2 + 4 * 12 + 4, struct.pack(f"{order}I", 0)
    first = (
        struct.pack(f"{order}HHI4s", 0x110, 2, 4, b"Cam\0")
        + struct.pack(f"{order}HHIHH", 0x112, 3, 1, 6, 0)
        + struct.pack(f"{order}HHII", 0x8769, 4, 1, begin)
        + struct.pack(f"{order}HHII", 0x8825, 4, 1, begin + 18 + 8)
    )
    taken = struct.pack(f"{order}HHHII", 1, 0x829A, 5, 1, begin + 18) + end + exposure
    place = struct.pack(f"{order}HHHII", 1, 2, 5, 3, begin + 26 + 18) + end + latitude
    head = mark + struct.pack(f"{order}IH", 8, 4)
    return head + first + end + taken + place
