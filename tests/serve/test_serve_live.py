"""Cameras over WebRTC, without a browser."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.sdp import SessionDescription
from in_process import BRIGHT, DARK, Caller, DarkCamera, bounded, serving
from waiting import HANG_S

from stream.serve.limits import Limits
from stream.serve.track import LATE_S


def test_a_frame_comes_back_above_its_deblurred_self(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            caller = Caller(running)
            await caller.connect()
            await caller.until_deblurred()
            above, below = await caller.halves()
            assert above == pytest.approx(DARK, abs=8)  # what VP8 does to a flat picture
            assert below == pytest.approx(BRIGHT, abs=8)
            report = await running.get(f"/sessions/{caller.name}")
            assert report["size"] == [160, 120]
            assert report["connection"] == "connected"
            assert not report["passing"]
            assert report["latest_ms"] > 0
            assert await running.status("DELETE", f"/sessions/{caller.name}") == 204
            assert await running.status("GET", f"/sessions/{caller.name}") == 404
            stats = await running.get("/stats")
            live = stats["live"]
            assert stats["sessions"] == {"open": 0, "opened": 1, "refused": 0, "limit": 4}
            assert live["frames_in"] == live["deblurred"] + live["passed"] + live["dropped"] > 0
            await caller.close()

    bounded(scenario())


def test_the_answer_asks_browsers_to_begin_with_a_good_picture(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            caller = Caller(running)
            body = {"sdp": await caller.offer()}
            async with running.http.post(running.url + "/sessions", json=body) as response:
                answer = SessionDescription.parse((await response.json())["sdp"])
            (vp8,) = [codec for codec in answer.media[0].rtp.codecs if codec.name == "VP8"]
            assert 3000 <= int(vp8.parameters["x-google-start-bitrate"]) <= 5000
            await caller.close()

    bounded(scenario())


def test_frames_pass_while_the_engine_is_stuck_and_are_deblurred_again_after(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            caller = Caller(running)
            await caller.connect()
            await caller.until_deblurred()
            running.engine.go.clear()
            assert await asyncio.to_thread(running.engine.stuck.wait, HANG_S)
            running.clock.now += 1.01 * LATE_S
            while (await caller.halves())[1] > (DARK + BRIGHT) / 2:
                pass
            for _ in range(5):  # and goes on
                assert (await caller.halves())[1] == pytest.approx(DARK, abs=12)
            assert (await running.get(f"/sessions/{caller.name}"))["passing"]
            running.engine.go.set()
            await caller.until_deblurred()
            await caller.close()

    bounded(scenario())


def test_frames_pass_and_the_session_says_why_when_the_engine_fails(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            running.engine.fails = True
            caller = Caller(running)
            await caller.connect()
            for _ in range(5):
                assert (await caller.halves())[1] == pytest.approx(DARK, abs=12)
            report = await running.get(f"/sessions/{caller.name}")
            assert (report["error"], report["deblurred"]) == ("broken", 0)
            await caller.close()

    bounded(scenario())


def test_a_client_that_hangs_up_frees_its_place(tmp_path):
    async def scenario():
        async with serving(tmp_path, Limits(sessions=1)) as running:
            for _ in range(2):
                caller = Caller(running)
                await caller.connect()
                await caller.until_deblurred()
                await caller.close()
                while (await running.get("/stats"))["sessions"]["open"]:
                    await asyncio.sleep(0.05)

    bounded(scenario())


def test_a_client_that_never_connects_is_dropped(tmp_path):
    async def scenario():
        async with serving(tmp_path, Limits(idle_s=0.3)) as running:
            caller = Caller(running)
            body = {"sdp": await caller.offer()}
            async with running.http.post(running.url + "/sessions", json=body) as response:
                name = (await response.json())["name"]
            while (await running.get("/stats"))["sessions"]["open"]:
                await asyncio.sleep(0.05)
            async with running.http.get(f"{running.url}/sessions/{name}") as response:
                assert await response.text() == "The stream has ended: no frame came for too long."
            await caller.close()

    bounded(scenario())


def test_a_picture_beyond_the_limit_ends_its_session_alone(tmp_path):
    async def scenario():
        async with serving(tmp_path, Limits(live_pixels=160 * 120)) as running:
            good, big = Caller(running), Caller(running, DarkCamera(320, 240))
            await good.connect()
            await good.until_deblurred()
            await big.connect()
            while (await running.get("/stats"))["sessions"]["open"] == 2:
                await asyncio.sleep(0.05)
            async with running.http.get(f"{running.url}/sessions/{big.name}") as response:
                assert "320x240 is more than" in await response.text()
            await good.until_deblurred()
            await good.close()
            await big.close()

    bounded(scenario())


def test_two_cameras_share_the_engine(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            callers = [Caller(running), Caller(running)]
            for caller in callers:
                await caller.connect()
            await asyncio.gather(*(caller.until_deblurred() for caller in callers))
            assert (await running.get("/stats"))["sessions"]["open"] == 2
            for caller in callers:
                await caller.close()

    bounded(scenario())
