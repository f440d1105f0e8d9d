"""What programs push to us by WebRTC (WHIP, RFC 9725), as OBS does: the server and its sender.

One sender at a time. aiortc decodes what comes, on an event loop that has a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import io
import logging
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar
from urllib.parse import urlsplit

import av
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription

from stream.capture.connection import MAX_PIXELS, TOO_LARGE, Arrival
from stream.capture.rtp_clock import RtpClock
from stream.errors import AddressError, OpenError, SourceError
from stream.frame import StreamInfo
from stream.pixel_format import color_tags, flowing_format, read_planes
from stream.pyav import exact, open_output
from stream.sound import SoundFormat, SoundPacket

T = TypeVar("T")

MAX_OFFER = 64 * 1024
"""Bytes; OBS sends some 2,000, a browser 7,000."""

_VIDEO_RATE = 90_000
_SOUND_S = 1.0  # how long sound that is announced is waited for
_OFFER_S = 10.0
_CLOSE_S = 5.0
_ANYBODY = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Expose-Headers": "Location",
}
"""Pages of other sites may push too: whoever has the key."""

_requests = logging.getLogger("stream.capture.whip.requests")
_requests.propagate = False  # what is no HTTP is the client's mistake, and answered
_requests.addHandler(logging.NullHandler())

for _library in ("aiortc", "aioice"):  # they warn of every packet that a network loses
    logging.getLogger(_library).setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class WhipAddress:
    """Where to listen.

    Attributes:
        name: As messages and reports show it.
        port: Of TCP; pictures come by UDP, on ports that change.
        path: What senders ask for, with a slash at the beginning.
        timeout_s: Without a picture for so long, a sender counts as lost.
        sound: Whether to take the sound too.
    """

    name: str
    port: int
    path: str
    timeout_s: float
    sound: bool


def whip_address(url: str, timeout_s: float, *, sound: bool) -> WhipAddress:
    """Read an address such as ``whip://:8080/KEY``.

    Raises:
        AddressError: It names another machine, no port or no key.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host or not port or not parts.path.strip("/"):
        raise AddressError(f"{url}: write whip://:8080/KEY, for senders that know the port and KEY")
    return WhipAddress(url, port, parts.path, timeout_s, sound)


class WhipListener:
    """Makes connections of what is pushed to one port.

    The port is taken from the first call on, so that whoever comes between two connections waits
    until the next one asks.

    Args:
        place: Where to listen.
    """

    def __init__(self, place: WhipAddress) -> None:
        self._place = place
        self._socket: socket.socket | None = None

    def __call__(self) -> Whip:
        """Wait for a sender.

        Raises:
            OpenError: None came in time, or without a picture.
        """
        if self._socket is None:
            self._socket = _bound(self._place)
            weakref.finalize(self, self._socket.close)
        return Whip(self._place, self._socket.dup())


class Whip:
    """What one sender pushes; see `stream.capture.connection.Connection`.

    Args:
        place: Where it listens.
        listening: A socket, bound already; closed with this.

    Raises:
        OpenError: Nobody came in time, or without a picture.
    """

    decode_failures = 0  # aiortc doesn't tell
    buffer_s = 0.0  # it has been put in order by then, and who uses WebRTC wants no delay

    def __init__(self, place: WhipAddress, listening: socket.socket) -> None:
        self._place = place
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="whip")
        self._thread.start()
        self._endpoint = _Endpoint(place)
        try:
            self._run(self._endpoint.listen(listening))
            self._sender = self._within(self._endpoint.sender(), "nothing came")
            picture = self._first_picture()
            self._first = (picture, time.perf_counter())
            if place.sound:
                self._run(self._sender.wait_for_sound())
        except SourceError as error:
            self.close()
            raise OpenError(f"{place.name}: {error}") from error
        except BaseException:
            self.close()
            raise
        self.info = StreamInfo(
            name=place.name,
            width=picture.width,
            height=picture.height,
            pixel_format=flowing_format(picture.format.name),
            source_pixel_format=picture.format.name,
            time_base=Fraction(1, _VIDEO_RATE),
            start_pts=picture.pts or 0,
            live=True,
            codec=self._sender.codec,
            color=color_tags(picture),
        )

    @property
    def sound(self) -> SoundFormat | None:
        """See `stream.capture.connection.Connection`."""
        return self._sender.sound

    def pictures(self) -> Iterator[Arrival]:
        """See `stream.capture.connection.Connection`."""
        picture: av.VideoFrame | None
        picture, arrived_s = self._first
        while picture is not None:
            yield Arrival(read_planes(picture), picture.pts, arrived_s, self._sender.take_sound())
            picture, arrived_s = self._picture(), time.perf_counter()

    def close(self) -> None:
        """Hang up and stop listening; may be called twice."""
        if self._thread.is_alive():
            try:
                self._run(self._endpoint.close())
            finally:  # Ctrl-C may come twice
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()

    def _first_picture(self) -> av.VideoFrame:
        picture = self._picture()
        if picture is None:
            raise SourceError("the sender has ended it")
        return picture

    def _picture(self) -> av.VideoFrame | None:
        """Wait for the next one; None where there are no more."""
        picture = self._within(self._sender.picture(), "no picture came")
        if picture is not None and picture.width * picture.height > MAX_PIXELS:
            raise SourceError(TOO_LARGE)
        return picture

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        task: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return task.result()
        except BaseException:
            task.cancel()  # Ctrl-C
            raise

    def _within(self, work: Coroutine[Any, Any, T], what: str) -> T:
        """Wait for as long as a source may be silent."""
        timeout_s = self._place.timeout_s
        try:
            return self._run(asyncio.wait_for(work, timeout_s))
        except TimeoutError as error:
            raise SourceError(f"{what} within {timeout_s:g} s") from error


class _Endpoint:
    """The server, of one sender. All of it on the event loop."""

    def __init__(self, place: WhipAddress) -> None:
        self._place = place
        self._there = asyncio.Event()
        self._sender: _Sender | None = None
        self._session = f"{place.path.rstrip('/')}/session"
        app = web.Application(client_max_size=MAX_OFFER)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=_CLOSE_S, logger=_requests)

    async def listen(self, listening: socket.socket) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def sender(self) -> _Sender:
        """Wait for somebody who pushes."""
        await self._there.wait()
        if self._sender is None:
            raise SourceError("the sender has ended it")
        return self._sender

    async def close(self) -> None:
        if self._sender is not None:
            await self._sender.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=_ANYBODY)
        try:
            status, text, headers = await self._answer(request)
        except web.HTTPException as error:
            status, text, headers = error.status, error.text or "", {}
        kind = "application/sdp" if status == 201 else "text/plain"
        return web.Response(
            status=status, text=text, content_type=kind, headers={**_ANYBODY, **headers}
        )

    async def _answer(self, request: web.Request) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers."""
        if request.method == "DELETE" and _same(request.path, self._session):
            if self._sender is not None:
                await self._sender.close()
            return 200, "", {}
        if not _same(request.path, self._place.path):
            raise web.HTTPNotFound(text="Nobody listens for that key.")
        if request.method != "POST":
            raise web.HTTPMethodNotAllowed(request.method, ["POST"])
        if self._sender is not None:
            raise web.HTTPConflict(text="Somebody else is pushing here; try again later.")
        try:
            async with asyncio.timeout(_OFFER_S):
                offer = await request.text()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The offer did not arrive.") from None
        if self._sender is not None:
            raise web.HTTPConflict(text="Somebody else is pushing here; try again later.")
        self._sender = sender = _Sender(self._place.sound)
        try:
            answer = await sender.answer(offer)
        except Exception as error:  # aiortc lets out whatever a bad offer makes it stumble on
            self._sender = None
            await sender.close()
            words = " ".join(str(error).split())[:200]
            raise web.HTTPBadRequest(
                text=f"An offer of one video in H.264 or VP8 is wanted ({words})."
            ) from error
        self._there.set()
        return 201, answer, {"Location": self._session}


class _Sender:
    """One who pushes. All of it on the event loop, but `take_sound`.

    Args:
        hearing: Whether to keep the sound; it is taken in any case, for aiortc would keep it.
    """

    def __init__(self, hearing: bool) -> None:
        self.codec = ""
        self.sound: SoundFormat | None = None
        self._hearing = hearing
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._tracks: dict[str, Any] = {}
        self._clocks: dict[str, RtpClock] = {}
        self._heard: deque[SoundPacket] = deque()
        self._first_heard = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def answer(self, offer: str) -> str:
        """Answer an offer of one video, and one sound at most."""
        kinds = [part.kind for part in SessionDescription.parse(offer).media]
        if sorted(kinds) not in (["video"], ["audio", "video"]):
            raise ValueError(f"this has {', '.join(kinds) or 'nothing'}")
        peer = self._peer
        # who may choose shall be the client of DTLS: aiortc's own certificate serves then, and with
        # GStreamer's, which is RSA, aiortc shares no cipher
        offer = offer.replace("a=setup:actpass", "a=setup:active")
        await peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        answer = await peer.createAnswer()
        parts = SessionDescription.parse(answer.sdp).media
        codecs = {part.kind: part.rtp.codecs[0] for part in parts}
        self.codec = codecs["video"].name.lower()
        for transceiver in peer.getTransceivers():
            kind, receiver = transceiver.kind, transceiver.receiver
            self._tracks[kind] = receiver.track
            self._clocks[kind] = RtpClock(receiver, codecs[kind].clockRate)
        await peer.setLocalDescription(answer)
        if "audio" in self._tracks:
            self._listening = asyncio.create_task(self._listen())
        return str(peer.localDescription.sdp)

    async def picture(self) -> av.VideoFrame | None:
        """Wait for the next one; None where there are no more."""
        try:
            picture: av.VideoFrame = await self._tracks["video"].recv()
        except MediaStreamError:
            return None
        return picture

    async def wait_for_sound(self) -> None:
        """Wait until the sound that was offered has come too, which has to be described."""
        if self._listening is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._first_heard.wait(), _SOUND_S)

    def take_sound(self) -> tuple[SoundPacket, ...]:
        """Return what was heard since the last call, by the clock of the pictures."""
        return tuple(self._heard.popleft() for _ in range(len(self._heard)))

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._peer.close()

    async def _listen(self) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await self._tracks["audio"].recv()
                if self._hearing:
                    self._keep(frame)

    def _keep(self, frame: av.AudioFrame) -> None:
        if self.sound is None:
            self.sound = _format(frame)
            self._first_heard.set()
        ahead_s = self._clocks["audio"].ahead_of_s(self._clocks["video"])
        start_s = (frame.pts or 0) * exact(frame.time_base) + Fraction(ahead_s)
        length_s = Fraction(frame.samples, frame.sample_rate)
        data = frame.to_ndarray().tobytes()
        self._heard.append(SoundPacket(data, start_s, length_s, self.sound))


def _bound(place: WhipAddress) -> socket.socket:
    try:
        return socket.create_server(("", place.port))
    except OSError as error:
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        words = "is taken or not ours" if taken else f"cannot be bound ({error.strerror})"
        raise AddressError(f"{place.name}: port {place.port} {words}; choose another") from error


def _same(path: str, wanted: str) -> bool:
    """Compare in a time that tells nothing of the key."""
    return hmac.compare_digest(path.rstrip("/").encode(), wanted.rstrip("/").encode())


def _format(frame: av.AudioFrame) -> SoundFormat:
    """Describe what aiortc has decoded, which is interleaved samples of 16 bits."""
    file = io.BytesIO()
    with open_output(file, format_name="nut") as container:
        stream = container.add_stream("pcm_s16le", rate=frame.sample_rate, layout=frame.layout.name)
        for packet in stream.encode(frame):
            container.mux(packet)
    channels = frame.layout.nb_channels
    return SoundFormat("pcm_s16le", frame.sample_rate, channels, b"", file.getvalue())
