"""What a user calls a source, and the source it means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stream.capture.connection import Connection
from stream.errors import OpenError
from stream.patience import Patience
from stream.sound import SoundTrack
from stream.stages import Source
from stream.url import without_password

KINDS = (
    "camera:N, screen:[DISPLAY], an rtsp, rtmp, http(s), udp, tcp or srt address, "
    "rtmp://:1935/APP/KEY or whip://:8080/KEY to be pushed to, test:[WIDTHxHEIGHT][@FPS], or a "
    "file with --realtime"
)
_TEST = re.compile(r"(?:(\d{2,5})x(\d{2,5}))?(?:@(\d{1,3}(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to open a live source.

    Attributes:
        size: What to ask a camera or a screen for; None leaves it to them.
        rate: Likewise, pictures per second.
        realtime: Play a file at its own pace.
        timeout_s: Without a picture for so long, a connection counts as lost.
        give_up_s: Without a connection for so long, the source counts as lost.
        wait_s: So long the first connection is tried.
        paced: Hold what comes in bursts until it is due, for somebody who watches.
        sound: Is given the sound of a source that has any; None leaves it.
    """

    size: tuple[int, int] | None = None
    rate: Fraction | None = None
    realtime: bool = False
    timeout_s: float = 5.0
    give_up_s: float = 300.0
    wait_s: float = 0.0
    paced: bool = True
    sound: SoundTrack | None = None


def open_source(
    address: str,
    options: SourceOptions | None = None,
    *,
    on_message: Callable[[str], None] = lambda message: None,
) -> Source:
    """Open a live source: `source_of` and at once what it gives.

    Raises:
        OpenError: The address means nothing, or what it means cannot be opened.
    """
    return source_of(address, options, on_message=on_message)()


def source_of(
    address: str,
    options: SourceOptions | None = None,
    *,
    on_message: Callable[[str], None] = lambda message: None,
) -> Callable[[], Source]:
    """What opens a live source; nothing is opened yet.

    Args:
        address: One of `KINDS`.
        options: How.
        on_message: Told what a person should know: the camera's mode, lost, there again.

    Raises:
        OpenError: The address means nothing.
    """
    from stream.capture.network import is_url, listens

    options = options or SourceOptions()
    kind, colon, rest = address.partition(":")
    if kind == "test" and colon:
        return _test(rest)
    if kind in ("camera", "screen") or is_url(address):
        connect = _connector(address, options)
        # what serves must be there whenever a sender comes
        patience = Patience(
            longest_s=0.5 if listens(address) else 8.0,
            give_up_s=options.give_up_s,
            wait_s=options.wait_s,
        )
        return lambda: _reconnecting(connect, patience, options, on_message)
    if not Path(address).exists():
        raise OpenError(f"{without_password(address)} is no source; give {KINDS}")
    if not options.realtime:
        raise OpenError(
            f"{address} is a file: add --realtime to play it at its own pace, or use deblur clean"
        )
    from stream.capture.file import FileSource
    from stream.capture.file_sound import FileSound
    from stream.capture.realtime import RealtimeSource

    sound = options.sound

    def play() -> Source:
        source = FileSource(address)
        try:
            beside = FileSound(Path(address), sound) if sound else None
        except BaseException:
            source.close()
            raise
        if sound and sound.format:
            on_message(f"{address}: {sound.format.codec} sound")
        return RealtimeSource(source, beside=beside)

    return play


def _test(mode: str) -> Callable[[], Source]:
    from stream.capture.realtime import RealtimeSource
    from stream.capture.scene import SceneSource

    found = _TEST.fullmatch(mode)
    width, height = (int(found[1] or 1280), int(found[2] or 720)) if found else (0, 0)
    rate = Fraction(found[3] or 30) if found else Fraction(0)
    if not rate or width % 2 or height % 2 or min(width, height) < 64:
        raise OpenError(f"test:{mode} is no mode: write test:1280x720@30, even and from 64 up")
    return lambda: RealtimeSource(SceneSource(width, height, frame_rate=rate))


def _reconnecting(
    connect: Callable[[], Connection],
    patience: Patience,
    options: SourceOptions,
    on_message: Callable[[str], None],
) -> Source:
    from stream.capture.realtime import RealtimeSource
    from stream.capture.reconnect import ReconnectingSource

    sound = options.sound
    source = ReconnectingSource(
        connect, patience, paced=options.paced, sound=sound, on_message=on_message
    )
    info = source.info
    rate = f" at {float(info.frame_rate):g} fps" if info.frame_rate else ""
    codec = info.codec or "raw"
    mode = f"{info.width}x{info.height}{rate}, {codec} {info.source_pixel_format}"
    heard = f", {sound.format.codec} sound" if sound and sound.format else ""
    on_message(f"{info.name}: {mode}{heard}")
    return source if info.duration_s is None else RealtimeSource(source)


def _connector(address: str, options: SourceOptions) -> Callable[[], Connection]:
    from stream.capture.camera import camera_connector
    from stream.capture.camera_mode import CameraMode
    from stream.capture.network import is_url, network_connector
    from stream.capture.screen import screen_connector

    rest = address.partition(":")[2]
    if is_url(address):
        return network_connector(address, options.timeout_s, sound=options.sound is not None)
    if address.startswith("screen"):
        return screen_connector(rest, options.size, options.rate, options.timeout_s)
    mode = CameraMode(options.size, options.rate)
    return camera_connector(rest, mode, options.timeout_s)
