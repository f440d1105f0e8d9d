"""MP4 files with edit lists, which FFmpeg does not write."""

from __future__ import annotations

import struct


def boxes(raw):
    place = 0
    while place < len(raw):
        (size,) = struct.unpack(">I", raw[place : place + 4])
        yield raw[place + 4 : place + 8], raw[place + 8 : place + size]
        place += size


def box(kind, raw):
    return struct.pack(">I", len(raw) + 8) + kind + raw


def edited(source, target, *edits, lead=1024):
    """Copy an MP4 whose movie box comes last, with these edits in all tracks: seconds.

    ``lead`` is by how many units what is shown at 0 lies behind, for reordering and priming.
    """

    def track(raw):
        parts = dict(boxes(raw))
        media = dict(boxes(parts[b"mdia"]))
        (scale,) = struct.unpack(">I", media[b"mdhd"][12:16])
        entries = [
            struct.pack(">IiI", round((to - since) * 12800), round(since * scale) + lead, 1 << 16)
            for since, to in edits
        ]
        parts[b"edts"] = box(b"elst", struct.pack(">II", 0, len(entries)) + b"".join(entries))
        order = [b"tkhd", b"edts", *(kind for kind in parts if kind not in (b"tkhd", b"edts"))]
        return b"".join(box(kind, parts[kind]) for kind in order)

    raw = source.read_bytes()
    start = raw.rindex(b"moov") - 4
    movie = [
        box(kind, track(content) if kind == b"trak" else content)
        for kind, content in boxes(raw[start + 8 :])
    ]
    target.write_bytes(raw[:start] + box(b"moov", b"".join(movie)))
    return target
