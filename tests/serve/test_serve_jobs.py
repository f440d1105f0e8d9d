"""What becomes of uploaded videos besides being cleaned: restarts, queues, looks, limits."""

from __future__ import annotations

import asyncio
import io
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import Clip, make_clip, times
from in_process import (
    BRIGHT,
    DARK,
    Brightener,
    Running,
    bounded,
    serving,
    stand_ins,
    streaming,
)

from stream.errors import JobError
from stream.frame import Frame, Planes, StreamInfo
from stream.inference.deblurrers import AUTO, Automatic, Choice
from stream.inference.shared import SharedDeblurrer
from stream.serve.jobs import Jobs
from stream.serve.limits import Limits
from stream.serve.look import Look, LookedAt

CLIP = Clip(frames=24, audio="aac")
INFO = StreamInfo(
    name="",
    width=4,
    height=4,
    pixel_format="gray",
    source_pixel_format="gray",
    time_base=Fraction(1, 25),
)


async def upload(running: Running, data: object, query: str = "") -> str:
    async with running.http.post(f"{running.url}/videos?{query}", data=data) as response:
        assert response.status == 201, await response.text()
        return f"/videos/{(await response.json())['name']}"


async def until(running: Running, path: str, state: str) -> dict:
    while (report := await running.get(path))["state"] != state:
        assert report["state"] not in ("failed", "done"), report
        await asyncio.sleep(0.05)
    return report


async def body(running: Running, path: str) -> bytes:
    async with running.http.get(running.url + path) as response:
        assert response.status == 200, await response.text()
        return await response.read()


def test_jobs_go_on_in_their_order_when_the_server_is_back(clip, tmp_path):
    folder = tmp_path / "kept"

    async def scenario():
        async with serving(tmp_path, keep=folder) as running:
            finished = await upload(running, clip(CLIP).read_bytes(), "file=a.mp4")
            await until(running, finished, "done")
            running.engine.go.clear()
            cut_short = await upload(running, clip(CLIP).read_bytes(), "file=../b.mp4")
            await until(running, cut_short, "cleaning")
            waiting = await upload(running, clip(CLIP).read_bytes(), "model=other&strength=0.5")
            before = await running.get(waiting)
            assert (before["state"], before["ahead"]) == ("waiting", 1)
        async with serving(tmp_path, keep=folder) as running:
            report = await until(running, cut_short, "done")
            assert (report["file"], report["frames_out"]) == ("b.mp4", CLIP.frames)
            report = await until(running, waiting, "done")
            assert (report["model"], report["strength"]) == ("other", 0.5)
            assert (await running.get(finished))["file"] == "a.mp4"
            cleaned = tmp_path / "cleaned.mp4"
            cleaned.write_bytes(await body(running, f"{cut_short}/result"))
            assert times(cleaned) == times(clip(CLIP))
            for path in (finished, cut_short, waiting):
                assert await running.status("DELETE", path) == 204
            assert [entry.name for entry in folder.iterdir()] == ["lock"]

    bounded(scenario())


def test_a_folder_serves_one_server(tmp_path):
    async def scenario():
        async with serving(tmp_path, keep=tmp_path / "kept"):
            with pytest.raises(JobError, match="another deblur serve uses"):
                Jobs(None, None, Limits(), tmp_path / "kept")

    bounded(scenario())


def test_a_video_can_be_looked_at_while_it_is_cleaned_and_cleaned_again(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            path = await upload(running, clip(CLIP).read_bytes(), "file=a.mp4")
            while not (await running.get(path))["look"]:
                await asyncio.sleep(0.01)
            running.engine.go.clear()
            if (await running.get(path))["state"] == "cleaning":
                with av.open(io.BytesIO(await body(running, f"{path}/look"))) as container:
                    picture = next(container.decode(video=0)).to_ndarray(format="gray")
                assert picture.shape == (2 * CLIP.height, CLIP.width)
                assert picture[CLIP.height :].mean() > picture[: CLIP.height].mean() + 50
            running.engine.go.set()
            await until(running, path, "done")
            async with running.http.post(f"{running.url}{path}/again?strength=0") as response:
                again = f"/videos/{(await response.json())['name']}"
            assert (await until(running, again, "done"))["strength"] == 0
            assert (await running.get(again))["file"] == "a.mp4"
            assert await running.status("DELETE", path) == 204
            assert await body(running, f"{again}/original") == clip(CLIP).read_bytes()

    bounded(scenario())


def test_a_preview_has_both_pictures_upright_and_the_sound(clip, tmp_path):
    video = Clip(suffix=".mkv", codec="mpeg4", options=(), audio="aac")

    async def scenario():
        async with serving(tmp_path) as running:
            path = await upload(running, clip(video).read_bytes())
            await until(running, path, "done")
            assert await running.status("GET", f"{path}/preview") == 409
            assert await running.status("POST", f"{path}/preview") == 204
            while (await running.get(path))["preview"] != "done":
                await asyncio.sleep(0.05)
            return await body(running, f"{path}/preview")

    with av.open(io.BytesIO(bounded(scenario()))) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        pictures = [picture.to_ndarray(format="gray") for picture in container.decode(video=0)]
    assert len(pictures) == video.frames
    assert pictures[0].shape == (2 * video.height, video.width)
    assert pictures[0][video.height :].mean() > pictures[0][: video.height].mean() + 50


class Holding(Brightener):
    """Looks ahead: gives each frame with the next one."""

    held = None

    def process(self, frame):
        held, self.held = self.held, frame
        return self.process_batch([held]) if held else []

    def flush(self):
        return self.process_batch([self.held])


def test_a_model_that_looks_ahead_gives_every_frame_in_its_place():
    looks = Look()
    shared = SharedDeblurrer(models := stand_ins(Holding()))
    try:
        processor = LookedAt(shared, models, Choice("other"), looks)
        planes = Planes((np.full((4, 4), DARK, np.uint8),))
        frames = [Frame(planes=planes, pts=i, time_base=Fraction(1, 25)) for i in range(3)]
        processor.start(INFO)
        assert [len(processor.process(frame)) for frame in frames] == [0, 1, 1]
        (last,) = processor.flush()
        assert last.pts == 2
        assert last.planes.arrays[0].mean() == BRIGHT
        assert looks.number == 3
        processor.close()
    finally:
        shared.close()


def test_the_model_is_found_for_each_video_where_its_owner_leaves_that_open(clip, tmp_path):
    seen = []

    def choose(info, speed):
        seen.append((info.width, speed("stand-in")))
        return "other"

    automatic = Automatic(choose, lambda model: 0.25)

    async def scenario():
        async with serving(tmp_path, automatic=automatic) as running:
            assert (await running.get("/about"))["recorded_models"][0] == AUTO
            path = await upload(running, clip(CLIP).read_bytes(), f"model={AUTO}")
            report = await until(running, path, "done")
            assert (report["model"], seen) == ("other", [(CLIP.width, 0.25)])
            address = f"{running.url}/sessions"
            wish = {"sdp": "v=0", "model": AUTO}
            async with running.http.post(address, json=wish) as response:
                assert await response.text() == "There is no such model."

    bounded(scenario())


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("model=nothing", "There is no such model."),
        ("strength=much", "The strength is a number."),
        ("strength=2", "The strength is from 0 to 1.5."),
        ("strength=nan", "The strength is from 0 to 1.5."),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_before_the_upload(tmp_path, query, words):
    async def scenario():
        async with serving(tmp_path) as running:
            address = f"{running.url}/videos?{query}"
            async with running.http.post(address, data=b"") as response:
                assert (response.status, await response.text()) == (400, words)

    bounded(scenario())


def test_a_picture_larger_than_the_header_says_ends_the_job_while_a_stream_goes_on(tmp_path):
    """Two elementary streams in a row: the second one's pictures are beyond the limit."""
    parts = []
    for name, (width, height) in {"small": (64, 48), "large": (640, 480)}.items():
        path = tmp_path / f"{name}.ts"
        make_clip(path, Clip(suffix=".ts", width=width, height=height, frames=12))
        parts.append(path.read_bytes())

    async def scenario():
        async with serving(tmp_path, Limits(video_pixels=320 * 240)) as running, streaming(running):
            path = await upload(running, b"".join(parts))
            while (report := await running.get(path))["state"] not in ("failed", "done"):
                await asyncio.sleep(0.05)
            assert "640x480" in (report["error"] or ""), report
            assert "0.1 megapixels are allowed" in report["error"]

    bounded(scenario())


def test_a_job_that_takes_too_long_is_ended_with_advice(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path, Limits(work_s=0.0)) as running:
            path = await upload(running, clip(CLIP).read_bytes())
            while (report := await running.get(path))["state"] != "failed":
                assert report["state"] != "done"
                await asyncio.sleep(0.05)
            assert "choose a lighter model, or cut the video" in report["error"]

    bounded(scenario())


def test_an_upload_that_does_not_get_on_gives_its_place_back(clip, tmp_path):
    async def dribble(ended: asyncio.Event):
        yield b"something"
        await ended.wait()

    async def scenario():
        ended = asyncio.Event()
        async with serving(tmp_path, Limits(jobs=1, upload_idle_s=0.2)) as running:
            address = running.url + "/videos"
            async with running.http.post(address, data=dribble(ended)) as response:
                assert response.status == 408
                words = "Nothing more of the video came; send it again."
                assert await response.text() == words
            ended.set()
            path = await upload(running, clip(CLIP).read_bytes())
            await until(running, path, "done")

    bounded(scenario())
