"""Opens containers for writing, and tells what goes wrong with them."""

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

from stream.containers import Container, of_muxer
from stream.errors import ReceiverError, SinkError
from stream.frame import ColorTags, StreamInfo
from stream.network_errors import meaning_of
from stream.pyav import open_input, open_output
from stream.url import is_known_host


def open_muxer(
    target: Path | io.BytesIO, container: Container, info: StreamInfo
) -> OutputContainer:
    """Open a container for writing; nothing is written until its header is."""
    options = dict(container.options)
    if container.is_mp4:
        # Edit lists count in this unit. With FFmpeg's 1/1000 s a start of 123457/90000 s moves;
        # with the video's own unit every start from 0 to 2**36 came back exactly.
        options["movie_timescale"] = str(info.time_base.denominator)
        if info.color != ColorTags():
            options["movflags"] = "write_colr"  # otherwise only where no tag is unspecified
    file = f"file:{target}" if isinstance(target, Path) else target
    muxer = open_output(file, format_name=container.muxer, options=options)
    if container.is_matroska:  # otherwise its ids are random
        muxer.flags = int(muxer.flags) | cast(int, Flags.bitexact.value)
    return muxer


def hides(container: OutputContainer, stream: Stream, file: io.BytesIO) -> bool:
    """Whether no player would find this stream in what ``container`` writes to ``file``.

    MPEG-TS takes every codec; those that it has no name for come back as bare data. Ends the
    container, which is a trial, past its header.
    """
    if of_muxer(container.format.name).names_codecs or stream.type == "data":
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


def push_error(name: str, error: Exception) -> SinkError:
    """What it means that a receiver on the network does not take what is sent.

    Args:
        name: Its address, without passwords.
        error: FFmpeg's or the system's.
    """
    if getattr(error, "errno", None) == errno.EIO and not is_known_host(name):
        return ReceiverError(f"{name}: no machine of that name is known")
    words, final = meaning_of(error)
    return (ReceiverError if final else SinkError)(f"{name}: {words}")
