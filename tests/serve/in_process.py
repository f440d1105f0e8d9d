"""A server in this process, with a stand-in for the network that needs no TensorFlow."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from waiting import HANG_S

from stream.frame import Planes
from stream.inference.deblurrers import Choice, Deblurrers
from stream.inference.device import Compute
from stream.inference.shared import SharedDeblurrer
from stream.serve.app import Server
from stream.serve.guard import Guard
from stream.serve.limits import Limits
from stream.serve.listener import listening
from stream.serve.track import DeblurredTrack

DARK, BRIGHT = 60, 180


class Brightener:
    """Makes dark pictures bright, which can be told from them after any codec."""

    compute = Compute("cpu", "float32")
    strength = 1.0

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.stuck = threading.Event()
        self.fails = False

    def identity_at(self, strength):
        return f"stand-in {strength}"

    def process_batch(self, frames):
        if not self.go.is_set():
            self.stuck.set()
        assert self.go.wait(HANG_S)
        if self.fails:
            raise RuntimeError("broken")
        return [frame.replace(planes=brightened(frame.planes)) for frame in frames]

    def process(self, frame):
        return self.process_batch([frame])

    def flush(self):
        return ()

    def forget(self, stream_id):
        pass

    def close(self):
        pass


class Ticking:
    """A clock that goes on by a millisecond when it is read: no machine is too slow for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1e-3
        return self.now


def brightened(planes: Planes) -> Planes:
    luma = np.full_like(planes.arrays[0], BRIGHT)
    return Planes((luma, *planes.arrays[1:]), planes.subsampling, planes.bit_depth)


@dataclass
class Fault:
    """What a client gets instead of the server's answer, ``times`` times.

    As from a network that loses it, where ``response`` gives nothing, or from a proxy.
    """

    method: str
    path: str
    times: int = 1
    response: Callable[[], web.Response] | None = None

    def fits(self, request: web.Request) -> bool:
        fits = request.method == self.method and request.path.startswith(self.path)
        return bool(self.times) and fits


@web.middleware
async def faulty(request: web.Request, handler):
    for fault in request.app[FAULTS]:
        if fault.fits(request):
            fault.times -= 1
            if fault.response:
                await request.read()
                return fault.response()
            return await broken_off(request)
    return await handler(request)


async def broken_off(request: web.Request) -> web.StreamResponse:
    """A part of an answer: where there is none, browsers ask again by themselves."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"{")
    request.transport.abort()
    return response


FAULTS = web.AppKey("faults", list[Fault])


@dataclass
class Running:
    """A server, and a client of it."""

    url: str
    http: aiohttp.ClientSession
    engine: Brightener
    clock: Ticking
    folder: Path
    faults: list[Fault]

    async def get(self, path: str) -> dict:
        async with self.http.get(self.url + path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def status(self, method: str, path: str, **options) -> int:
        async with self.http.request(method, self.url + path, **options) as response:
            await response.read()
            return response.status


def stand_ins(engine, automatic=None) -> Deblurrers:
    """Two names for one engine."""
    return Deblurrers(
        lambda name, look_ahead: engine, ["stand-in", "other"], Choice("stand-in"), automatic
    )


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path,
    limits: Limits | None = None,
    token=None,
    names=(),
    headers_s=10.0,
    log=None,
    keep=None,
    automatic=None,
):
    """Ends with the check that nothing stays behind."""
    engine, clock = Brightener(), Ticking()
    models = stand_ins(engine, automatic)
    shared = SharedDeblurrer(models)
    folder = tmp_path / "uploads"
    folder.mkdir(exist_ok=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        server = Server(
            shared,
            models,
            Choice("stand-in"),
            limits or Limits(),
            Guard("127.0.0.1", token, names),
            keep,
        )
    finally:
        tempfile.tempdir = before
    app = server.application()
    app[FAULTS] = []
    app.middlewares.insert(0, faulty)
    try:
        async with (
            listening(app, "127.0.0.1", 0, headers_s=headers_s, log=log) as port,
            aiohttp.ClientSession() as http,
        ):
            with pytest.MonkeyPatch.context() as patch:
                timed = functools.partial(DeblurredTrack, clock=clock)
                patch.setattr("stream.serve.sessions.DeblurredTrack", timed)
                yield Running(f"http://127.0.0.1:{port}", http, engine, clock, folder, app[FAULTS])
            engine.go.set()
    finally:
        engine.go.set()
        shared.close()
    assert not list(folder.iterdir())
    left = [thread.name for thread in threading.enumerate()]
    assert not [name for name in left if name.startswith(("video-decoder", "cleaning", "preview"))]


class DarkCamera(MediaStreamTrack):
    """Dark frames at 30 a second."""

    kind = "video"

    def __init__(self, width: int = 160, height: int = 120) -> None:
        super().__init__()
        self.index = 0
        self.width, self.height = width, height

    async def recv(self):
        await asyncio.sleep(1 / 30)
        if self.readyState != "live":
            raise MediaStreamError
        picture = av.VideoFrame(self.width, self.height, "yuv420p")
        for plane, value in zip(picture.planes, (DARK, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        picture.pts, picture.time_base = 3000 * self.index, Fraction(1, 90_000)
        self.index += 1
        return picture


class Caller:
    """A WebRTC client, as the page is one."""

    def __init__(self, running: Running, camera: DarkCamera | None = None) -> None:
        self.running = running
        self.name = ""
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.camera = camera or DarkCamera()
        self.peer.addTrack(self.camera)
        self.returned = None
        self.peer.on("track", self._on_track)

    def _on_track(self, track) -> None:
        self.returned = track

    async def offer(self) -> str:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return self.peer.localDescription.sdp

    async def connect(self) -> None:
        async with self.running.http.post(
            self.running.url + "/sessions", json={"sdp": await self.offer()}
        ) as response:
            assert response.status == 201, await response.text()
            answer = await response.json()
        self.name = answer["name"]
        await self.peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))

    async def halves(self) -> tuple[float, float]:
        """Mean luma of the upper and the lower half of the next picture that comes back."""
        picture = await self.returned.recv()
        luma = picture.to_ndarray()[: picture.height]
        return luma[: picture.height // 2].mean(), luma[picture.height // 2 :].mean()

    async def until_deblurred(self) -> None:
        """Goes on when a frame comes back that has been through the engine."""
        while (await self.halves())[1] < (DARK + BRIGHT) / 2:
            pass

    async def close(self) -> None:
        await self.peer.close()


@contextlib.asynccontextmanager
async def streaming(running: Running):
    """A stream that must have gone on when the block ends."""
    caller = Caller(running)
    await caller.connect()
    await caller.until_deblurred()
    yield
    before = (await running.get("/stats"))["live"]["deblurred"]
    while (await running.get("/stats"))["live"]["deblurred"] < before + 5:
        await caller.until_deblurred()
    await caller.close()


def bounded(coroutine):
    """Runs a test's coroutine to its end."""

    async def run():
        async with asyncio.timeout(HANG_S):
            return await coroutine

    return asyncio.run(run())
