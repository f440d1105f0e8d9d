"""Where live video can be sent or kept, by the look of its address."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from stream.containers import recordings
from stream.errors import SinkError, UsageError
from stream.url import credentials, without_password

PUSH_TIMEOUT_S = 5.0
"""How long a receiver may take nothing before it counts as lost."""

_PLAYLIST = {
    "hls_time": "2",
    "hls_list_size": "6",
    "hls_flags": "delete_segments+independent_segments+temp_file",
}
MIXING = {"max_interleave_delta": "1000000"}
"""Pictures and sound are brought into order by waiting for each other so many microseconds."""

_MPEG = frozenset({"aac", "mp3", "ac3", "eac3"})
_SOUNDS = {
    "flv": frozenset({"aac", "mp3"}),
    "hls": _MPEG,
    "matroska": _MPEG | {"mp2", "opus", "vorbis", "flac"},
    "mov": _MPEG,
    "mp4": _MPEG | {"opus"},
    "mpegts": _MPEG | {"mp2"},
    "rtsp": frozenset({"aac", "opus"}),
}
"""Codecs of sound that players expect, by muxer; what a muxer takes is more."""

_PORTS = {"rtmp": 1935, "rtmps": 443, "rtsp": 554, "tcp": 0}  # 0: the address names it
_PUSHED = {"rtmp": "flv", "rtmps": "flv", "srt": "mpegts", "udp": "mpegts", "tcp": "mpegts"}


@dataclass(frozen=True, slots=True)
class Target:
    """A place for encoded video.

    Attributes:
        name: As messages and reports show it, without passwords.
        url: As FFmpeg takes it.
        format_name: FFmpeg's muxer.
        options: The muxer's.
        path: The file that begins to exist, where it is one.
        host: Of a receiver that is connected to over TCP, with
        port: its port.
        sounds: Codecs of sound that players take in it; others are made AAC.
    """

    name: str
    url: str
    format_name: str
    options: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None
    host: str = ""
    port: int = 0
    sounds: frozenset[str] = frozenset()


def target_of(address: str) -> Target:
    """The target that a user's text means.

    Raises:
        UsageError: It is none that we know.
    """
    scheme, separator, rest = address.partition("://")
    scheme = scheme.lower()
    if separator and scheme == "rtsp":
        # over UDP, which never waits for a receiver that is stuck
        options = {"rtsp_transport": "udp", **MIXING}
        name, (host, port) = without_password(address), _peer(address)
        return Target(name, address, "rtsp", options, None, host, port, _SOUNDS["rtsp"])
    if separator and scheme in _PUSHED:
        if scheme == "udp" and "pkt_size" not in rest:
            address += ("&" if "?" in rest else "?") + "pkt_size=1316"
        # The tee muxer of FFmpeg hands options on to the protocol, which PyAV's own way does not:
        # without a time-out a stuck receiver would hold this thread for ever.
        muxer, patience = _PUSHED[scheme], f"rw_timeout={round(1e6 * PUSH_TIMEOUT_S)}"
        escaped = address.replace("|", "%7C")
        mixing = ":".join(f"{name}={value}" for name, value in MIXING.items())
        url = f"[f={muxer}:{patience}:{mixing}]{escaped}"
        name, (host, port) = without_password(address), _peer(address)
        return Target(name, url, "tee", MIXING, None, host, port, _SOUNDS[muxer])
    if separator:
        known = ", ".join(sorted((*_PUSHED, "rtsp")))
        raise UsageError(
            f"{without_password(address)}: nothing is sent by {scheme}; use one of {known}"
        )
    path = Path(address)
    if path.suffix.lower() == ".m3u8":
        options = _PLAYLIST | MIXING
        return Target(address, str(path.absolute()), "hls", options, path, sounds=_SOUNDS["hls"])
    container = recordings().get(path.suffix.lower())
    if container is None:
        known = ", ".join((*recordings(), ".m3u8"))
        raise UsageError(f"{address}: a live recording ends in one of {known}")
    muxer, options = container.muxer, {**container.options, **(container.recording or {}), **MIXING}
    return Target(address, str(path.absolute()), muxer, options, path, sounds=_SOUNDS[muxer])


def require_answer(target: Target) -> None:
    """Find out whether anybody answers at all, and hang up.

    PyAV holds Python's lock while it connects an output, and with it every other thread; this does
    not. But a receiver that takes a single connection is lost by it.

    Raises:
        SinkError: Nobody answers at its address.
    """
    if not target.port:
        return
    try:
        socket.create_connection((target.host, target.port), PUSH_TIMEOUT_S).close()
    except TimeoutError as error:
        raise SinkError(f"{target.name}: nobody answers within {PUSH_TIMEOUT_S:g} s") from error
    except OSError as error:
        raise SinkError(f"{target.name}: {(error.strerror or str(error)).lower()}") from error


def _peer(address: str) -> tuple[str, int]:
    """Host and port of a receiver over TCP; an empty host and 0 where there is none to ask."""
    try:
        parts = urlsplit(credentials(address)[0])
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0  # FFmpeg says what is wrong
    return (host, port) if parts.scheme in _PORTS and host else ("", 0)
