"""Network streams: which protocols, and what each address may open."""

from __future__ import annotations

from collections.abc import Callable

from stream.capture.connection import Connection
from stream.capture.feed import Feed, FeedAddress
from stream.capture.web_pictures import web_pictures
from stream.errors import OpenError
from stream.url import credentials, with_credentials, without_password

# What FFmpeg may open for each kind of address, and nothing else: a playlist from the network
# must not name files of this machine.
_WEB = "http,https,httpproxy,tcp,tls,crypto"
_PROTOCOLS = {
    "rtsp": "rtp,udp,tcp",
    "rtsps": "rtp,udp,tcp,tls",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tcp,tls",
    "http": _WEB,
    "https": _WEB,
    "udp": "udp",
    "tcp": "tcp",
    "srt": "srt",
    "whip": "",  # not FFmpeg's
}
_PUSHED = {"rtmp": {"listen": "1"}, "tcp": {"listen": "1"}}
"""What a program such as OBS may push to us by, and FFmpeg's options to be its server."""

_BUFFER_S = 1.0  # of pictures that come in bursts, as after a stall
_PROBE_S = 1.0
_OPTIONS = {
    "rtsp": {"rtsp_flags": "prefer_tcp", "allowed_media_types": "video"},
    "udp": {"overrun_nonfatal": "1"},
}


def is_url(address: str) -> bool:
    """Whether this is the address of a network stream."""
    return address.partition("://")[0].lower() in _PROTOCOLS and "://" in address


def listens(address: str) -> bool:
    """Whether the sender is to find us, rather than we it: by UDP, or where no host is named."""
    scheme, _, rest = address.partition("://")
    scheme = scheme.lower()
    return scheme in ("udp", "whip") or (scheme in _PUSHED and rest.startswith(":"))


def network_connector(
    url: str, timeout_s: float, *, sound: bool = False
) -> Callable[[], Connection]:
    """A function that opens a network stream; the arguments are those of `network_place`.

    Raises:
        OpenError: It can never be opened.
    """
    if url.lower().startswith("whip:"):
        return _whip_listener(url, timeout_s, sound)
    place = network_place(url, timeout_s, sound=sound)
    if place.options["protocol_whitelist"] != _WEB:
        return lambda: Feed(place)
    return lambda: web_pictures(place) or Feed(place)


def _whip_listener(url: str, timeout_s: float, sound: bool) -> Callable[[], Connection]:
    try:  # at once: behind TensorFlow aiortc's libsrtp crashes
        from stream.capture.whip import WhipListener, whip_address
    except ModuleNotFoundError as error:
        raise OpenError(f'{url} needs {error.name}: pip install "deblurstream[web]"') from error
    return WhipListener(whip_address(url, timeout_s, sound=sound))


def network_place(url: str, timeout_s: float, *, sound: bool = False) -> FeedAddress:
    """How to open a network stream with little delay; ``sound`` asks for that too."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    serving = scheme in _PUSHED and listens(url)
    return FeedAddress(
        url=f"{scheme}://0.0.0.0{rest}" if serving else with_credentials(*credentials(url)),
        name=without_password(url),
        options={
            "protocol_whitelist": _PROTOCOLS[scheme],
            "fpsprobesize": "2",  # otherwise 20 pictures are waited for, only to guess their rate
            **_OPTIONS.get(scheme.removesuffix("s"), {}),
            **(_PUSHED[scheme] if serving else {}),
            **({"allowed_media_types": "video+audio"} if sound and "rtsp" in scheme else {}),
        },
        sound=sound,
        serving=serving,
        timeout_s=timeout_s,
        probe_s=_PROBE_S,
        buffer_s=_BUFFER_S,
    )
