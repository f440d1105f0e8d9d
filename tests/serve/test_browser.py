"""The page in a real Chromium, served by the real command with the shipped model."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from aiohttp import web
from chromium import Page, chromium
from clips import Clip, times
from in_process import Caller, Fault, bounded, serving

from models.training.procedural import draw_scene
from stream.serve.limits import Limits

WIDTH, HEIGHT = 320, 240
FRAMES = 30
SWAY = 60  # pixels that the scene moves to each side
BLUR = 9  # pixels, sideways

# the returned video holds both pictures of each frame, the original above
MEASURE = """
(() => {
  const video = document.querySelector("#returned");
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  const luma = (x, y) => {
    const at = 4 * (y * width + x);
    return 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
  };
  let before = 0, after = 0, difference = 0, count = 0;
  const half = height / 2;
  for (let y = 0; y < half; y += 2) {
    for (let x = 1; x < width; x += 1) {
      before += Math.abs(luma(x, y) - luma(x - 1, y));
      after += Math.abs(luma(x, y + half) - luma(x - 1, y + half));
      difference += Math.abs(luma(x, y) - luma(x, y + half));
      count += 1;
    }
  }
  return { before: before / count, after: after / count, difference: difference / count };
})()
"""


pytestmark = pytest.mark.usefixtures("browser")


def pictures():
    """A swaying scene, blurred along its motion, as RGB."""
    scene = draw_scene(np.random.default_rng(3), HEIGHT, WIDTH + 2 * SWAY)
    for index in range(FRAMES):
        left = round(SWAY * (1 + np.sin(2 * np.pi * index / FRAMES)))
        shot = np.ascontiguousarray(scene[:, left : left + WIDTH])
        yield cv2.blur(shot, (BLUR, 1))


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> Path:
    """What Chromium's camera shows, over and over."""
    path = tmp_path_factory.mktemp("camera") / "swaying.y4m"
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F15:1 Ip A1:1 C420jpeg\n".encode())
        for picture in pictures():
            file.write(b"FRAME\n" + cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """The same as a video that Chromium plays."""
    path = tmp_path_factory.mktemp("recording") / "swaying.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 15, options={"preset": "ultrafast", "crf": "16"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


@contextlib.asynccontextmanager
async def server(folder: Path, end: signal.Signals = signal.SIGTERM):
    """`deblur serve` as a process; yields the page's address, and checks how it ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stream", "serve", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    try:
        line = (await process.stdout.readline()).decode()
        assert line.startswith("open http://127.0.0.1:"), (line, await process.stderr.read())
        yield line.split()[1]
        process.send_signal(end)
        _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
        assert not list(folder.iterdir())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def stats(page: Page) -> dict:
    return await page.evaluate("fetch('stats').then((response) => response.json())")


def test_a_camera_comes_back_sharper_and_stop_ends_it(tmp_path, camera):
    async def scenario():
        async with server(tmp_path) as url, chromium(camera=camera) as page:
            await page.open(url)
            about = await page.until("document.querySelector('#about').innerText")
            assert about == "Works on the CPU"
            await page.evaluate("document.querySelector('#size').value = '320x240'")
            await start(page)
            await until_deblurred(page)

            found = await deblurred_frames(page, 5)
            mean = {key: sum(entry[key] for entry in found) / 5 for key in found[0]}
            assert mean["before"] > 1, "the camera shows next to nothing"
            assert mean["after"] > 1.02 * mean["before"], mean

            await page.until("Number(document.querySelector('#fps').innerText) > 0")
            await page.until("Number(document.querySelector('#latency').innerText) > 0")
            assert await page.evaluate("document.querySelector('#model').innerText") == "Fast"
            await divider_moves(page)
            await views_change(page)

            live = (await stats(page))["sessions"]
            assert (live["open"], live["opened"]) == (1, 1)
            await page.evaluate("document.querySelector('#stop').click()")
            await until_free(page)
            assert await page.evaluate("document.querySelector('#live').dataset.state") == "idle"
            assert await page.evaluate("document.querySelector('#returned').srcObject") is None

            await start(page)
            await page.send("Page.navigate", url="about:blank")  # to leave frees it as well
            await page.open(url)
            await until_free(page)
            assert (await stats(page))["sessions"]["opened"] == 2
            assert not page.problems
            assert all(address.startswith((url, "blob:", "about:")) for address in page.requests)

    bounded(scenario())


async def start(page: Page) -> None:
    await page.evaluate("document.querySelector('#start').click()")
    await page.until("document.querySelector('#live').dataset.state === 'running'")


async def until_free(page: Page) -> None:
    while (await stats(page))["sessions"]["open"]:
        await asyncio.sleep(0.1)


async def until_deblurred(page: Page) -> None:
    while (await stats(page))["live"]["deblurred"] < 10:
        await asyncio.sleep(0.2)
    await page.until("document.querySelector('#passing').hidden")


async def deblurred_frames(page: Page, count: int) -> list[dict]:
    """Measures of frames whose halves differ: on a busy machine some pass as they came."""
    found = []
    while len(found) < count:
        entry = await page.evaluate(MEASURE)
        if entry["difference"] > 0.5:
            found.append(entry)
    return found


async def divider_moves(page: Page) -> None:
    place = "Number(document.querySelector('#live-view .divider').getAttribute('aria-valuenow'))"
    assert await page.evaluate(place) == 50
    box = await page.evaluate(
        "(({x, y, width, height}) => [x, y, width, height])"
        "(document.querySelector('#live-view canvas').getBoundingClientRect())"
    )
    x, y, width, height = box
    middle = y + height / 2
    await page.drag((x + 0.5 * width, middle), (x + 0.2 * width, middle))
    assert await page.evaluate(place) == 20
    await page.press("ArrowRight")
    assert await page.evaluate(place) == 22
    await page.press("End")
    assert await page.evaluate(place) == 100


async def views_change(page: Page) -> None:
    """By the keys 1 to 4; the canvas shows one picture or two."""
    shape = "(({width, height}) => [width, height])(document.querySelector('#live-view canvas'))"
    await page.press("2")
    assert await page.evaluate(shape) == [2 * WIDTH, HEIGHT]
    await page.resize(390, 844)
    assert await page.until(f"(({shape})[1] === {2 * HEIGHT})")
    await page.resize(1280, 800)
    await page.press("3")
    assert await page.evaluate(shape) == [WIDTH, HEIGHT]


def test_a_recorded_video_is_cleaned_compared_and_downloaded(tmp_path, recording):
    downloads, uploads = tmp_path / "downloads", tmp_path / "uploads"
    downloads.mkdir()
    uploads.mkdir()

    async def scenario():
        async with (
            server(uploads, signal.SIGINT) as url,
            chromium(downloads=downloads) as page,
        ):
            await page.open(url)
            await page.evaluate("document.querySelector('#tab-recorded').click()")
            await page.choose_file("#file", recording)
            await page.until("document.querySelector('#recorded').dataset.state === 'done'")
            await page.until("document.querySelector('#recorded-view canvas').width === 320")
            await page.evaluate("document.querySelector('#play').click()")
            await page.until("document.querySelector('#cleaned').currentTime > 0.5")
            await page.evaluate("document.querySelector('#play').click()")
            await page.until(
                "Math.abs(document.querySelector('#original').currentTime -"
                " document.querySelector('#cleaned').currentTime) < 0.02"
            )
            await page.evaluate("document.querySelector('#download').click()")
            cleaned = downloads / "swaying-deblurred.mp4"
            while not cleaned.exists():
                await asyncio.sleep(0.1)
            await page.evaluate("document.querySelector('#again').click()")
            assert (
                await page.evaluate("document.querySelector('#recorded').dataset.state") == "idle"
            )
            await page.evaluate("document.querySelector('#videos li button + button').click()")
            while list(uploads.glob("*/*")):
                await asyncio.sleep(0.1)
            assert not page.problems
            return cleaned

    cleaned = bounded(scenario())
    assert times(cleaned) == times(recording)
    assert sharpness(cleaned) > 1.02 * sharpness(recording)


def test_the_page_says_what_was_refused_and_what_it_cannot_show(tmp_path, clip, camera):
    """With a stand-in for the network, in this process."""
    nothing = tmp_path / "nothing.mp4"
    nothing.write_bytes(b"not a video")
    unplayable = clip(Clip(suffix=".mkv", codec="mpeg4", options=(), width=64, height=48))

    async def scenario():
        limits = Limits(sessions=1)
        async with serving(tmp_path, limits) as running, chromium(camera=camera) as page:
            await page.open(f"{running.url}/#recorded")
            await page.until("!document.querySelector('#recorded').hidden")
            await page.choose_file("#file", nothing)
            await page.until(notice("recorded", "This is not a video of a known kind."))
            await page.choose_file("#file", unplayable)
            await page.until("document.querySelector('#cleaned').src.endsWith('/preview')")
            await page.until("document.querySelector('#recorded-view canvas').width === 64")
            told = await page.evaluate("document.querySelector('#recorded .notice').innerText")
            assert told.startswith("This browser cannot play the video's format. What you see is a")
            running.faults.append(Fault("POST", "/videos/", 1, lambda: web.Response(status=507)))
            await page.choose_file("#file", unplayable)
            await page.until("document.querySelector('#recorded').dataset.state === 'unseen'")
            assert await page.evaluate("document.querySelector('#download').offsetHeight > 0")
            caller = Caller(running)
            await caller.connect()
            await page.evaluate("document.querySelector('#tab-live').click()")
            await page.evaluate("document.querySelector('#start').click()")
            await page.until(notice("live", "Every place is taken; try again in a while."))
            assert await page.evaluate("document.querySelector('#live').dataset.state") == "idle"
            await caller.close()

    bounded(scenario())


def notice(panel: str, text: str) -> str:
    return f"document.querySelector('#{panel} .notice').innerText === {text!r}"


def sharpness(path: Path) -> float:
    """Mean absolute difference of neighbours along the blur."""
    with av.open(str(path)) as container:
        shots = [picture.to_ndarray(format="gray") for picture in container.decode(video=0)]
    return float(np.mean([np.abs(np.diff(shot.astype(np.float32))).mean() for shot in shots]))
