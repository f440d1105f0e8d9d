"""Opening a video file and reading its packets, with errors a user can act on. Decodes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from stream.capture.kinds import CONCAT, GROWING, other_kind, require_file
from stream.errors import OpenError, SourceError
from stream.pyav import open_input
from stream.stills import Stills

_NOT_VIDEO = frozenset({"tty", "lrc"})  # FFmpeg draws text files as pictures
_TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# FFmpeg skips what a playlist without an end has had so far, and waits an hour for more
_PLAYLISTS = {"live_start_index": "0", "m3u8_hold_counters": "2"}
_MAX_DAMAGE = 30  # unreadable places in a row, after which the file is taken to end there


def open_container(path: Path) -> InputContainer:
    """Open a file for reading, or say in one line why not.

    Raises:
        OpenError: There is nothing there that FFmpeg can read.
    """
    if stills := Stills.at(path):
        folder = str(stills.pattern.parent).replace("%", "%%")  # it is parsed with the name
        place, format_name = f"file:{Path(folder, stills.pattern.name)}", "image2"
        options = {"framerate": str(stills.rate), "start_number": str(stills.first())}
    else:
        # the prefix keeps a colon in the name from being taken for a protocol
        place, format_name, options = f"file:{path}", None, _PLAYLISTS
        require_file(path)
    try:
        container = open_input(place, format_name=format_name, options=options)
    except (av.FFmpegError, OSError) as error:
        if not stills and (kind := other_kind(path)):
            raise OpenError(f"{path} {kind}") from error
        if isinstance(error, PermissionError):
            raise OpenError(f"{path} may not be read; check its permissions") from error
        raise OpenError(
            f"{path} cannot be read as video ({reason(error)}); it may be another kind of file, "
            "or cut off before its index was written"
        ) from error
    if said := _is_none(container):
        container.close()
        raise OpenError(f"{path} {said}")
    return container


def _is_none(container: InputContainer) -> str | None:
    """Return what is open where it is no video file, as the rest of a sentence, or None."""
    name = container.format.name
    if name == "concat":
        return CONCAT
    if name == "hls" and container.duration is None:
        return GROWING
    return "is not a video; name a video file" if name in _NOT_VIDEO else None


def transparent_decoder(stream: VideoStream) -> VideoCodecContext | None:
    """The decoder for VP8 and VP9 with transparency, which FFmpeg's own leave out."""
    name = _TRANSPARENT.get(stream.codec_context.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) != "1":
        return None
    try:
        decoder = cast(VideoCodecContext, CodecContext.create(name, "r"))
    except ValueError:  # FFmpeg may be built without
        return None
    decoder.extradata = stream.codec_context.extradata
    return decoder


def packets_of(
    container: InputContainer, streams: Sequence[Stream], on_damage: Callable[[], None]
) -> Iterator[Packet[Stream]]:
    """Every packet of ``streams``, except empty ones, which FFmpeg takes for the end.

    Where the container is damaged, reading goes on behind the damage; if nothing comes there,
    the file ends early. Either way ``on_damage`` is called once for the place.

    Raises:
        SourceError: The disk or the network failed, which is not the file's own damage.
        OpenError: The packets are encrypted.
    """
    damaged = 0
    while damaged <= _MAX_DAMAGE:
        try:
            for packet in container.demux(*streams):
                if not packet.size:
                    continue
                if packet.has_sidedata("encryption_info"):
                    name = container.name.removeprefix("file:")
                    raise OpenError(f"{name} is encrypted; name a copy that is not")
                if damaged:
                    on_damage()
                    damaged = 0
                yield packet
            break
        except av.InvalidDataError:
            damaged += 1
        except (av.FFmpegError, OSError) as error:
            name = container.name.removeprefix("file:")
            raise SourceError(f"{name}: reading failed ({reason(error)}); try again") from error
    if damaged:
        on_damage()


def reason(error: Exception) -> str:
    """What FFmpeg or the system says of an error, without numbers and names of functions."""
    return getattr(error, "strerror", None) or str(error)
