"""The container formats we write: which file name means which, and how to open one."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from typing import cast

import av
from av.container import OutputContainer
from av.container.core import Flags
from av.packet import Packet
from av.stream import Stream

from stream.errors import SinkError
from stream.frame import ColorTags, StreamInfo
from stream.pyav import open_input, open_output

# AVI counts pictures instead of giving them a pts: see `stream.jobs.steady`. FLV is left out.
_FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
    ".avi": "avi",
    ".gif": "gif",
}


STILLS = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".jpg": "mjpeg", ".jpeg": "mjpeg"}
"""Codecs of still pictures, which are written as `stream.output.stills` does."""


def container_format(path: Path) -> str:
    """FFmpeg's muxer for a file of this name.

    Raises:
        SinkError: We write no such container.
    """
    suffix = path.suffix.lower()
    if suffix in STILLS and "%" not in path.name:
        raise SinkError(f"{path} would be one picture; number them, as in {path.stem}_%04d{suffix}")
    if suffix in STILLS:
        return "mov"  # which holds them on their way, each in a packet of its own
    try:
        return _FORMATS[suffix]
    except KeyError:
        known = ", ".join(sorted(_FORMATS))
        raise SinkError(
            f"{path.name}: no container is known by '{path.suffix}'; use one of {known}"
        ) from None


def open_muxer(target: Path | io.BytesIO, format_name: str, info: StreamInfo) -> OutputContainer:
    """Open a container for writing; nothing is written until its header is."""
    options = {}
    if format_name in ("mp4", "mov"):
        # Edit lists count in this unit. With FFmpeg's 1/1000 s a start of 123457/90000 s moves;
        # with the video's own unit every start from 0 to 2**36 came back exactly.
        options["movie_timescale"] = str(info.time_base.denominator)
        if info.color != ColorTags():
            options["movflags"] = "write_colr"  # otherwise only where no tag is unspecified
    if format_name == "avi":
        # every stream begins at 0 there; else sound from before 0 would move the pictures by one
        options["avoid_negative_ts"] = "disabled"
    file = f"file:{target}" if isinstance(target, Path) else target
    container = open_output(file, format_name=format_name, options=options)
    if format_name in ("matroska", "webm"):
        container.flags = int(container.flags) | cast(
            int, Flags.bitexact.value
        )  # otherwise its ids are random
    return container


def hides(container: OutputContainer, stream: Stream, file: io.BytesIO) -> bool:
    """Whether no player would find this stream in what ``container`` writes to ``file``.

    MPEG-TS takes every codec; those that it has no name for come back as bare data. Ends the
    container, which is a trial, past its header.
    """
    if container.format.name != "mpegts" or stream.type == "data":
        return False
    packet = Packet(bytes(64))
    packet.stream, packet.pts, packet.dts = stream, 0, 0
    try:
        container.mux(packet)
    except av.InvalidDataError:
        return False  # it looked into the packet, so it knows the codec
    except av.FFmpegError:
        return True
    container.close()
    file.seek(0)
    with open_input(file) as written:
        return all(other.type == "data" for other in written.streams)


def write_error(target: Path | str, error: Exception) -> SinkError:
    """What a failed write means to the user."""
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SinkError(f"{target}: no space left to write it; free some and run again")
    said = getattr(error, "strerror", None) or str(error)
    return SinkError(f"{target} cannot be written ({said})")
