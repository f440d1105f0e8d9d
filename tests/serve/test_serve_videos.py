"""Uploaded videos, without a browser."""

from __future__ import annotations

import asyncio

import av
import pytest
from clips import Clip, times
from in_process import Caller, Running, bounded, serving, streaming

from stream.serve.limits import Limits

CLIP = Clip(frames=24, audio="aac")


async def upload(running: Running, data: bytes) -> str:
    async with running.http.post(running.url + "/videos", data=data) as response:
        assert response.status == 201, await response.text()
        return f"/videos/{(await response.json())['name']}"


async def refused(running: Running, data: bytes) -> tuple[int, str]:
    async with running.http.post(running.url + "/videos", data=data) as response:
        return response.status, await response.text()


async def until(running: Running, path: str, state: str) -> dict:
    while (report := await running.get(path))["state"] != state:
        assert report["state"] != "failed", report
        await asyncio.sleep(0.05)
    return report


@pytest.mark.parametrize(
    ("video", "suffix"),
    [
        (CLIP, ".mp4"),
        (Clip(suffix=".mov"), ".mov"),
        (Clip(suffix=".mkv", audio="aac"), ".mkv"),
        (Clip(suffix=".webm", codec="libvpx", options=()), ".webm"),
    ],
)
def test_a_video_comes_back_whole_and_brighter(clip, tmp_path, video, suffix):
    async def scenario():
        async with serving(tmp_path) as running:
            path = await upload(running, clip(video).read_bytes())
            report = await until(running, path, "done")
            assert report["suffix"] == suffix
            assert report["frames_out"] == video.frames
            async with running.http.get(f"{running.url}{path}/result") as response:
                assert response.content_type.startswith("video/")
                return await response.read()

    cleaned = tmp_path / f"cleaned{suffix}"
    cleaned.write_bytes(bounded(scenario()))
    assert times(cleaned) == times(clip(video))
    with av.open(str(cleaned)) as container:
        assert bool(container.streams.audio) == bool(video.audio)
        assert next(container.decode(video=0)).to_ndarray()[:100].mean() > 165


def test_a_browser_may_ask_for_a_part(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            path = await upload(running, clip(CLIP).read_bytes())
            await until(running, path, "done")
            headers = {"Range": "bytes=4-7"}
            address = f"{running.url}{path}/result"
            async with running.http.get(address, headers=headers) as response:
                assert (response.status, await response.read()) == (206, b"ftyp")

    bounded(scenario())


def test_a_deleted_video_is_gone_at_once(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            path = await upload(running, clip(CLIP).read_bytes())
            assert await running.status("GET", f"{path}/result") == 409
            await until(running, path, "done")
            assert await running.status("DELETE", path) == 204
            assert await running.status("GET", path) == 404
            assert await running.status("GET", f"{path}/result") == 404
            assert not list(running.folder.glob("*/*"))

    bounded(scenario())


def test_a_finished_video_is_deleted_after_its_time(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path, Limits(keep_s=0.1)) as running:
            path = await upload(running, clip(CLIP).read_bytes())
            while await running.status("GET", path) != 404:
                await asyncio.sleep(0.05)
            assert not list(running.folder.glob("*/*"))

    bounded(scenario())


def test_a_video_can_be_cancelled_while_it_is_cleaned_and_while_it_waits(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            running.engine.go.clear()
            first = await upload(running, clip(CLIP).read_bytes())
            await until(running, first, "cleaning")
            second = await upload(running, clip(CLIP).read_bytes())
            assert (await running.get(second))["state"] == "waiting"
            assert await running.status("DELETE", second) == 204  # without waiting for the first
            assert await running.status("GET", second) == 404
            removal = asyncio.create_task(running.status("DELETE", first))
            await asyncio.sleep(0.05)
            running.engine.go.set()
            assert await removal == 204
            assert not list(running.folder.glob("*/*"))

    bounded(scenario())


def test_the_server_ends_in_the_middle_of_a_video(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            running.engine.go.clear()
            path = await upload(running, clip(CLIP).read_bytes())
            await until(running, path, "cleaning")

    bounded(scenario())  # `serving` checks what is left


def test_a_live_stream_goes_on_while_a_video_is_cleaned(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            caller = Caller(running)
            await caller.connect()
            await caller.until_deblurred()
            path = await upload(running, clip(CLIP).read_bytes())
            await until(running, path, "done")
            await caller.until_deblurred()
            await caller.close()

    bounded(scenario())


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not a video",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 9 RTP/AVP 96\n",
        b"RIFF\x10\x00\x00\x00WAVEfmt ",
    ],
)
def test_what_is_no_video_is_refused(tmp_path, text):
    async def scenario():
        async with serving(tmp_path) as running:
            status, words = await refused(running, text)
            assert status == 415
            assert words == "This is not a video of a known kind."
            assert not list(running.folder.glob("*/*"))

    bounded(scenario())


def test_a_playlist_of_a_real_video_is_refused_too(clip, tmp_path):
    """FFmpeg would follow it to any file of the server."""
    playlist = f"ffconcat version 1.0\nfile 'file:{clip(CLIP)}'\n".encode()

    async def scenario():
        async with serving(tmp_path) as running:
            assert (await refused(running, playlist))[0] == 415

    bounded(scenario())


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(video_pixels=160 * 120 - 1), "A picture may have 0.0 megapixels."),
        (Limits(video_s=0.5), "A video may last 0.5 s."),
        (Limits(upload_bytes=1 << 10), "A video may have 0 MiB."),
        (Limits(jobs=0), "Too many videos are here already; try again in a while."),
    ],
)
def test_what_is_beyond_a_limit_is_refused(clip, tmp_path, limits, words):
    async def scenario():
        async with serving(tmp_path, limits) as running:
            assert await refused(running, clip(CLIP).read_bytes()) == (413, words)

    bounded(scenario())


def test_a_video_longer_than_its_header_says_is_stopped_while_a_stream_goes_on(
    clip, tmp_path, monkeypatch
):
    monkeypatch.setattr(Limits, "video_frames", 10)

    async def scenario():
        async with serving(tmp_path) as running, streaming(running):
            path = await upload(running, clip(CLIP).read_bytes())
            while (report := await running.get(path))["state"] != "failed":
                await asyncio.sleep(0.05)
            assert report["error"] == "the video is longer than the 600 s allowed"

    bounded(scenario())


def test_errors_do_not_name_files_of_the_server(clip, tmp_path):
    whole = clip(Clip(suffix=".mkv")).read_bytes()
    with av.open(str(clip(Clip(suffix=".mkv")))) as container:
        first = next(iter(container.demux(video=0)))
        start = whole.index(bytes(first))
    cut = whole[:start] + b"\x00" * 5000

    async def scenario():
        async with serving(tmp_path) as running:
            path = await upload(running, cut)
            while (report := await running.get(path))["state"] != "failed":
                await asyncio.sleep(0.05)
            assert report["error"].startswith("the video ")
            assert str(tmp_path) not in str(report)

    bounded(scenario())
