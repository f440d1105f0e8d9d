"""Minutes of the page with several visitors: `python tests/page_endurance.py`.

`deblur serve` has places for two cameras. Two Chromiums take them, a third one has two videos
cleaned, again and again. After a quarter of the time the second one is killed, and a fourth wants
its place; at half time the third is reloaded while it works; after three quarters the server is
killed and started again. Prints what was counted, and exits with 1 where something was lost: a
frame, a video or a place.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "serve"))

import aiohttp
import av
from chromium import Page, chromium
from clips import times
from flat import memory_is_flat, rise
from network import free_port
from sender import picture_of

WIDTH, HEIGHT, RATE = 320, 240, 15
VIDEO_FRAMES = (60, 90)
RESTART_S = 2.0
PLACES = 2
ENDS = ("done", "failed")
LAST_UPLOAD = 0.85  # of the time
STATE = "document.querySelector('#{panel}').dataset.state"
NAMES = "JSON.parse(localStorage.getItem('deblur-videos') ?? '[]').map(({ name }) => name)"
REMOVE = "document.querySelector('#videos li button + button').click()"


class Server:
    """`deblur serve`, at one port whenever it is started."""

    def __init__(self, folder: Path) -> None:
        self.lives: list[list[float]] = []  # MiB in use, a second apart, since each start
        self.problems: list[str] = []
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._argv = [
            *(sys.executable, "-m", "stream", "serve", "--quality", "fast"),
            *("--port", str(self._port), "--folder", str(folder)),
            *("--max-sessions", str(PLACES)),
        ]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.lives.append([])
        self._process = await asyncio.create_subprocess_exec(
            *self._argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        line = await self._process.stdout.readline()
        if not line.startswith(b"open "):
            raise SystemExit(f"it did not start: {await self._process.stderr.read()}")

    async def kill(self) -> None:
        """As a machine does that fails."""
        self._process.kill()
        await self._process.wait()

    def abandon(self) -> None:
        """Leave nothing behind, whatever has happened."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def end(self) -> None:
        self._process.terminate()
        _, errors = await self._process.communicate()
        said = [line for line in errors.decode().splitlines() if "cameras by" not in line]
        if self._process.returncode or said:
            self.problems.append(f"the server ended with {self._process.returncode}: {said}")

    def watch(self) -> None:
        """Note the memory in use."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    self.lives[-1].append(int(line.split()[1]) / 1024)


class Run:
    """All visitors of one server, and what is wrong with what they see."""

    def __init__(self, server: Server, folder: Path, seconds: float) -> None:
        self.problems = server.problems
        self.videos = self.frames = self.cameras_again = 0
        self._server = server
        self._folder = folder
        self._seconds = seconds
        self._began = time.monotonic()
        self._busy = asyncio.Lock()  # the third page is: what is half sent may be lost
        self._camera = folder / "camera.y4m"
        make_camera(self._camera)
        self._clips = []
        for index, count in enumerate(VIDEO_FRAMES):
            self._clips.append(folder / f"clip{index}.mp4")
            make_clip(self._clips[-1], count)
        self._http: aiohttp.ClientSession | None = None

    async def all(self) -> dict:
        """Returns the server's last figures."""
        async with aiohttp.ClientSession() as self._http, contextlib.AsyncExitStack() as stack:
            tasks = [asyncio.create_task(self._watch())]
            stack.callback(tasks[0].cancel)
            first = await stack.enter_async_context(chromium(camera=self._camera))
            third = await stack.enter_async_context(chromium())
            await self._film(first)
            self._tell("the first films")
            cleaning = asyncio.create_task(self._clean(third))
            async with chromium(camera=self._camera) as second:
                await self._film(second)
                self._tell("the second films")
                await self._until(0.25)
            self._tell("the second was killed")
            fourth = await stack.enter_async_context(chromium(camera=self._camera))
            await self._film(fourth)
            self._tell("the fourth films")
            await self._until(0.5)
            await self._reload(third)
            self._tell("the third was reloaded")
            await self._until(0.75)
            await self._restart()
            self._tell("the server was killed and started again")
            for page in (first, fourth):
                await page.until(f"{STATE.format(panel='live')} === 'idle'")
                await self._film(page)
                self.cameras_again += 1
            self._tell("the first and the fourth film again")
            await self._until(1)
            await cleaning
            for page in (first, fourth):
                await page.evaluate("document.querySelector('#stop').click()")
            figures = await self._figures_when_free()
            for number, page in enumerate((first, third, fourth), 1):
                shown = [each for each in page.problems if "Failed to load" not in each]
                self.problems += [f"page {number}: {each}" for each in shown]
        return figures

    def _tell(self, words: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {words}", file=sys.stderr, flush=True)

    async def _until(self, share: float) -> None:
        await asyncio.sleep(self._began + share * self._seconds - time.monotonic())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._server.watch()

    async def _film(self, page: Page) -> None:
        """Start a camera, as soon as there is a place for it."""
        if not (await page.evaluate("location.href")).startswith(self._server.url):
            await page.open(self._server.url)
            await page.evaluate(f"document.querySelector('#size').value = '{WIDTH}x{HEIGHT}'")
        while await page.evaluate(STATE.format(panel="live")) != "running":
            await page.evaluate("document.querySelector('#start').click()")
            await page.until(f"{STATE.format(panel='live')} !== 'connecting'")
            await asyncio.sleep(0.5)

    async def _clean(self, page: Page) -> None:
        """Have two videos cleaned, until it is too late for another two."""
        await page.open(f"{self._server.url}/#recorded")
        await page.until("!document.querySelector('#recorded').hidden")
        while time.monotonic() < self._began + LAST_UPLOAD * self._seconds:
            async with self._busy:
                for count, clip in enumerate(self._clips, 1):
                    await page.choose_file("#file", clip)
                    await page.until(f"{NAMES}.filter(Boolean).length === {count}")
            names = await page.evaluate(NAMES)
            for clip, name in zip(self._clips, names, strict=True):
                await self._check(clip, name)
            async with self._busy:
                while await page.evaluate(f"{NAMES}.length"):
                    await page.evaluate(REMOVE)
                    await asyncio.sleep(0.5)

    async def _check(self, clip: Path, name: str) -> None:
        """Wait for a video, and compare what came of it with what it was made of."""
        while (report := await self._get(f"/videos/{name}")) and report["state"] not in ENDS:
            await asyncio.sleep(0.5)
        self.videos += 1
        if report is None or report["state"] != "done":
            self.problems.append(f"{clip.name} was lost: {report}")
            return
        made = self._folder / "made.mp4"
        made.write_bytes(await self._read(f"/videos/{name}/result") or b"")
        found, wanted = times(made), times(clip)
        self.frames += len(found)
        self._tell(f"video {self.videos}: {len(found)} frames")
        if found != wanted:
            self.problems.append(f"{clip.name}: {len(found)} of {len(wanted)} frames in time")

    async def _get(self, path: str) -> dict | None:
        """The same as `_read`, of JSON."""
        body = await self._read(path)
        return None if body is None else json.loads(body)

    async def _read(self, path: str) -> bytes | None:
        """An answer, whenever the server is there; None where it knows nothing of it."""
        while True:
            try:
                async with self._http.get(self._server.url + path) as response:
                    return await response.read() if response.status == 200 else None
            except aiohttp.ClientError:
                await asyncio.sleep(0.5)

    async def _reload(self, page: Page) -> None:
        async with self._busy:
            before = await page.evaluate(NAMES)
            await page.evaluate("window.before = true")
            await page.send("Page.reload")
            await page.until("!window.before && document.readyState === 'complete'")
            count = "document.querySelectorAll('#videos li').length"
            await page.until(f"{NAMES}.length === {count}")
            if not set(before) <= set(await page.evaluate(NAMES)) and before:
                self.problems.append("a reload has lost a video")

    async def _restart(self) -> None:
        async with self._busy:
            figures = await self._get("/stats")
            if figures["sessions"]["open"] != PLACES:
                self.problems.append(f"{figures['sessions']['open']} of {PLACES} places are taken")
            await self._server.kill()
            await asyncio.sleep(RESTART_S)
            await self._server.start()

    async def _figures_when_free(self) -> dict:
        deadline = time.monotonic() + 60
        while (figures := await self._get("/stats"))["sessions"]["open"]:
            if time.monotonic() > deadline:
                self.problems.append(f"{figures['sessions']['open']} places leaked")
                break
            await asyncio.sleep(0.5)
        live = figures["live"]
        if live["frames_in"] != live["deblurred"] + live["passed"] + live["dropped"]:
            self.problems.append(f"frames of cameras do not add up: {live}")
        if not live["deblurred"]:
            self.problems.append("no frame of a camera was deblurred")
        return figures


def make_camera(path: Path) -> None:
    """What Chromium's camera shows, over and over."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{RATE}:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(60):
            picture = picture_of(index, WIDTH, HEIGHT, False)
            file.write(b"FRAME\n" + picture.to_ndarray().tobytes())


def make_clip(path: Path, count: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(count):
            picture = picture_of(index, WIDTH, HEIGHT, False)
            picture.pts, picture.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


async def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder / "videos")
        try:
            await server.start()
            run = Run(server, folder, seconds)
            figures = await run.all()
            await server.end()
        finally:
            server.abandon()
        left = sorted(entry.name for entry in (folder / "videos").iterdir())
    if left != ["lock"]:
        run.problems.append(f"left behind: {left}")
    live, memory = figures["live"], max(server.lives, key=len)
    flat = "flat" if memory_is_flat(memory) else "RISES"
    print(f"{seconds:g} s: {run.videos} videos of {run.frames} frames")
    print(
        f"cameras since the restart: {live['frames_in']} = {live['deblurred']} deblurred + "
        f"{live['passed']} passed + {live['dropped']} dropped; p95 {live['latency_ms']['p95']} ms; "
        f"{run.cameras_again} cameras went on"
    )
    print(f"memory of its longer life, MiB: {memory[-1]:.0f}, its rise {rise(memory):+.1f}: {flat}")
    print(json.dumps(figures["sessions"] | {"jobs": figures["jobs"]}))
    for problem in run.problems:
        print(f"LOST: {problem}")
    return 1 if run.problems else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600, help="default 600")
    for number in (signal.SIGINT, signal.SIGTERM):  # browsers and server end with this
        signal.signal(number, signal.default_int_handler)
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    raise SystemExit(asyncio.run(main(parser.parse_args().seconds)))
