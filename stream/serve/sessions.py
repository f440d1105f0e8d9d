"""Cameras of browsers: one WebRTC connection each, one stream of the shared deblurrer each.

A browser that goes away without a word is noticed by its missing frames. Media goes straight
between browser and server: no STUN or TURN server is asked. All of it on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections import deque
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.codecs import vpx
from aiortc.sdp import SessionDescription

from stream.errors import DeblurError
from stream.inference.shared import SharedDeblurrer
from stream.serve.limits import Limits
from stream.serve.statistics import LiveStats
from stream.serve.track import DeblurredTrack

_CLOSE_S = 5.0  # what closing a connection may take
_MAX_CANDIDATES = 64  # addresses a client may have us try


def _allow_sharp_pictures() -> None:
    """Let aiortc send 4 to 12 Mbit/s; its constants are not documented, written for 1.16.

    That starts every video at 0.5 Mbit/s and stops at 1.5, whatever its size, and has no option for
    it: what was deblurred would be blurred again. What the browser's receiver asks for still
    counts, up to the new limit.
    """
    vpx.DEFAULT_BITRATE = 4_000_000
    vpx.MAX_BITRATE = 12_000_000


_allow_sharp_pictures()

_START_KBPS = 4000
"""At which a browser begins to send. Chromium begins with 300 otherwise, and takes ten seconds to
find out that more gets through: until then a mush is deblurred."""


class RefusedError(Exception):
    """An offer that is not taken; the message says why."""


class BusyError(RefusedError):
    """There is no room; later there may be."""


class Session:
    """One browser's camera, from its offer until `close`."""

    def __init__(self, shared: SharedDeblurrer, limits: Limits) -> None:
        self.name = secrets.token_urlsafe(16)
        self.stats = LiveStats()
        self.ended: str | None = None
        self._limits = limits
        self._stream = shared.open(live=True)
        self._began = time.monotonic()
        self._track: DeblurredTrack | None = None
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))

    @property
    def stream_id(self) -> int:
        """By which the engine knows the stream."""
        return self._stream.stream_id

    async def answer(self, offer: str) -> str:
        """The answer to a browser's offer of one video.

        Raises:
            RefusedError: It is not an offer, or not of one video.
        """
        _require_one_video(offer)
        connection = self._connection
        transceiver = connection.addTransceiver("video")
        codecs = RTCRtpSender.getCapabilities("video").codecs
        # every browser has VP8, and unlike H.264's its level does not limit the size
        transceiver.setCodecPreferences([codec for codec in codecs if codec.name == "VP8"])
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            camera = transceiver.receiver.track
            self._track = DeblurredTrack(camera, self._stream, self._limits, self.stats)
            transceiver.sender.replaceTrack(self._track)
            await connection.setLocalDescription(await connection.createAnswer())
        except Exception as error:  # aiortc lets out whatever a bad offer makes it stumble on
            raise RefusedError(f"the offer cannot be answered ({_words(error)})") from error
        return _with_start_bitrate(str(connection.localDescription.sdp))

    async def run(self) -> None:
        """Deblur until the camera ends."""
        if self._track is None:
            raise RuntimeError("a session runs after its answer")
        try:
            await self._track.run()
            self.ended = "the camera was stopped"
        except DeblurError as error:
            self.ended = str(error)

    async def close(self) -> None:
        """End the connection and free the stream."""
        self._stream.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.close()

    def report(self) -> dict[str, Any]:
        """JSON-ready: the counts, and whether frames pass as they came."""
        track, latest_s = self._track, self.stats.latest_s
        return self.stats.report() | {
            "connection": self._connection.connectionState,
            "size": track.size if track else (0, 0),
            "passing": bool(track and track.passing),
            "error": str(track.error) if track and track.error else None,
            "latest_ms": None if latest_s is None else round(1e3 * latest_s, 1),
            "duration_s": round(time.monotonic() - self._began, 3),
        }


def _with_start_bitrate(sdp: str) -> str:
    """The answer with a wish that Chromium and its kin understand and others ignore."""
    wish = rf"\g<0>a=fmtp:\g<1> x-google-start-bitrate={_START_KBPS}\r\n"
    return re.sub(r"a=rtpmap:(\d+) VP8/90000\r\n", wish, sdp)


def _require_one_video(offer: str) -> None:
    """Before anything is opened for it."""
    try:
        media = SessionDescription.parse(offer).media
    except Exception as error:  # likewise
        raise RefusedError(f"the offer cannot be read ({_words(error)})") from error
    if [part.kind for part in media] != ["video"] or media[0].direction != "sendrecv":
        raise RefusedError("the offer is not of one video, to be sent and received")
    if not (media[0].dtls and media[0].dtls.fingerprints):
        raise RefusedError("the offer names no certificate")
    if len(media[0].ice_candidates) > _MAX_CANDIDATES:
        raise RefusedError("the offer has too many candidates")


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:200]


class Sessions:
    """All cameras. `close` ends them."""

    def __init__(self, shared: SharedDeblurrer, limits: Limits) -> None:
        self.opened = 0
        self.refused = 0
        self._shared = shared
        self._limits = limits
        self._open: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._past = LiveStats()
        self._reasons: deque[tuple[str, str]] = deque(maxlen=64)

    def __len__(self) -> int:
        return len(self._open)

    def __getitem__(self, name: str) -> Session:
        return self._open[name]

    async def start(self, offer: str) -> tuple[Session, str]:
        """Open a session; returns it and the answer.

        Raises:
            BusyError: There are as many as the limits allow.
            RefusedError: The offer cannot be taken.
        """
        if len(self._open) >= self._limits.sessions:
            self.refused += 1
            raise BusyError("every place is taken; try again in a while")
        session = Session(self._shared, self._limits)
        self._open[session.name] = session  # at once: the next offer counts it
        try:
            async with asyncio.timeout(self._limits.idle_s):
                answer = await session.answer(offer)
        except BaseException as error:
            await self._remove(session)
            self.refused += 1
            if isinstance(error, TimeoutError):
                raise RefusedError("the offer took too long") from error
            raise
        self.opened += 1
        self._tasks[session.name] = asyncio.create_task(self._run(session))
        return session, answer

    def why_ended(self, name: str) -> str | None:
        """Of a session that is no more, where that is not long ago."""
        return dict(self._reasons).get(name)

    async def stop(self, name: str) -> None:
        """End a session, if it is still there; returns when its stream is free."""
        if name not in self._open:
            return
        session, task = self._open[name], self._tasks[name]
        task.cancel()
        await asyncio.wait([task])
        await self._remove(session)  # a task that is cancelled before it begins runs no line

    async def close(self) -> None:
        """End all sessions."""
        await asyncio.gather(*(self.stop(name) for name in list(self._tasks)))

    def total(self) -> LiveStats:
        """The counts of all sessions, past ones included."""
        total = LiveStats()
        for stats in (self._past, *(session.stats for session in self._open.values())):
            total.add(stats)
        return total

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            await asyncio.shield(self._remove(session))

    async def _remove(self, session: Session) -> None:
        """Close a session and forget it; may be called twice."""
        await session.close()
        if self._open.pop(session.name, None) is None:
            return
        self._tasks.pop(session.name, None)
        self._past.add(session.stats)
        if session.ended:
            self._reasons.append((session.name, session.ended))
