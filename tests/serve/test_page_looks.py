"""The page in a real Chromium: what can be looked at, and what outlives the page."""

from __future__ import annotations

import asyncio
from importlib import resources

import av
import numpy as np
import pytest
from chromium import Page, chromium
from clips import Clip
from in_process import Running, bounded, serving

SEEN = "document.querySelector('#live .demo').offsetHeight > 0"
PAUSED = "document.querySelector('#live .pause').getAttribute('aria-label') === 'Play the example'"
PLACE = "Number(document.querySelector('#live .demo .divider').getAttribute('aria-valuenow'))"


pytestmark = pytest.mark.usefixtures("browser")


def state(panel: str) -> str:
    return f"document.querySelector('#{panel}').dataset.state"


def click(selector: str) -> str:
    return f"document.querySelector({selector!r}).click()"


def test_the_example_is_sharper_below():
    """Both pictures of a frame, the original above, as the page shows them."""
    path = resources.files("stream.serve") / "page" / "demo.mp4"
    with av.open(str(path)) as container:
        pictures = [picture.to_ndarray(format="gray") for picture in container.decode(video=0)]
    halves = np.split(np.stack(pictures).astype(np.float32), 2, axis=1)
    before, after = (np.abs(np.diff(half, axis=2)).mean() for half in halves)
    assert after > 1.3 * before


def test_an_example_plays_until_it_is_paused_or_something_is_given(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(running.url)
            await page.until(SEEN)
            before = await page.evaluate(PLACE)
            await page.until(f"{PLACE} !== {before}")
            await page.evaluate(click("#live .pause"))
            assert await page.evaluate(PAUSED)
            await page.evaluate(click("#tab-recorded"))
            assert await page.evaluate(SEEN.replace("#live", "#recorded"))
            assert not await page.evaluate(SEEN)
            assert not page.problems

    bounded(scenario())


@pytest.mark.parametrize("size", [(1280, 800), (844, 390), (390, 844), (320, 480)])
def test_nothing_is_cut_off_at_any_size(tmp_path, size):
    """Whatever is larger than its box would be out of reach: the stage does not scroll."""
    cut = (
        "[...document.querySelectorAll('.stage')].filter((one) => one.offsetParent)"
        ".map((one) => one.scrollHeight - one.clientHeight)"
    )

    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.resize(*size)
            for tab in ("live", "recorded"):
                await page.open(f"{running.url}/#{tab}")
                await page.until(f"document.querySelector('#{tab} .demo').offsetHeight > 0")
                assert await page.evaluate(cut) == [0]
                wide = "document.documentElement.scrollWidth <= innerWidth"
                assert await page.evaluate(wide)

    bounded(scenario())


def test_wheel_keys_and_double_click_enlarge_both_pictures(clip, tmp_path):
    zoomed = "document.querySelector('#recorded-view').dataset.zoomed === 'true'"

    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await recorded(page, running, clip(Clip()))
            await page.until(f"{state('recorded')} === 'done'")
            await page.until("document.querySelector('#recorded-view').dataset.zoomed")
            assert not await page.evaluate(zoomed)
            x, y = await page.evaluate(
                "(({x, y, width, height}) => [x + width / 4, y + height / 4])"
                "(document.querySelector('#recorded-view').getBoundingClientRect())"
            )
            wheel = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -400}
            await page.send("Input.dispatchMouseEvent", **wheel)
            await page.until(zoomed)
            await page.press("0")
            assert not await page.evaluate(zoomed)
            await page.press("+")
            assert await page.evaluate(zoomed)
            await page.press("0")
            for count in (1, 2):
                for kind in ("mousePressed", "mouseReleased"):
                    button = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": count}
                    await page.send("Input.dispatchMouseEvent", **button)
            await page.until(zoomed)

    bounded(scenario())


def test_a_job_outlives_a_reload_and_back_leads_back(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            running.engine.go.clear()
            await recorded(page, running, clip(Clip()))
            await page.until("location.hash.startsWith('#recorded/')")
            address = await page.evaluate("location.href")
            await page.evaluate("window.before = true")
            await page.send("Page.reload")
            await page.until("!window.before")
            await page.until(
                f"document.readyState === 'complete' && {state('recorded')} === 'working'"
            )
            await page.evaluate(click("#tab-live"))
            assert await page.evaluate("location.hash") == "#live"
            await page.evaluate("history.back()")
            await page.until(f"location.href === {address!r}")
            assert await page.evaluate(state("recorded")) == "working"
            running.engine.go.set()
            await page.until(f"{state('recorded')} === 'done'")
            assert await page.evaluate("document.title") == "deblur"
            assert (await running.get("/stats"))["jobs"]["done"] == 1

    bounded(scenario())


def test_a_link_leads_to_a_video_and_tabs_keep_what_others_remember(clip, tmp_path):
    memory = "JSON.parse(localStorage.getItem('deblur-videos')).map(({ file }) => file)"

    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await recorded(page, running, clip(Clip()))
            await page.until(f"{state('recorded')} === 'done'")
            first = clip(Clip()).name
            address = f"{running.url}/videos?file=of-somebody.mp4"
            async with running.http.post(address, data=clip(Clip(frames=23)).read_bytes()) as made:
                name = (await made.json())["name"]
            while (await running.get(f"/videos/{name}"))["state"] != "done":
                await asyncio.sleep(0.05)
            await page.evaluate(f"location.hash = '#recorded/{name}'")
            await page.until(f"document.querySelector('#download').href.includes({name!r})")
            another = "[{ name: 'x', file: 'of another tab' }]"
            await page.evaluate(f"localStorage.setItem('deblur-videos', JSON.stringify({another}))")
            await page.evaluate(click("#videos li:last-child button + button"))
            assert await page.until(memory) == ["of another tab", first]

    bounded(scenario())


def test_several_videos_wait_in_turn_and_the_title_tells_how_far_one_is(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            running.engine.go.clear()
            await recorded(page, running, clip(Clip()))
            await page.until("document.title.endsWith(' deblur')")
            await page.choose_file("#file", clip(Clip(frames=23)))
            detail = "document.querySelector('#detail').innerText.startsWith('1 video before it')"
            await page.until(detail)
            assert await page.evaluate("document.querySelectorAll('#videos li').length") == 2
            running.engine.go.set()
            await page.until(f"{state('recorded')} === 'done'")
            while (await running.get("/stats"))["jobs"]["done"] != 2:
                await asyncio.sleep(0.05)

    bounded(scenario())


def test_a_video_is_cleaned_as_was_chosen_and_again_as_is_chosen_then(clip, tmp_path):
    set_strength = (
        "((slider) => { slider.value = 0.5; slider.dispatchEvent(new Event('input')); })"
        "(document.querySelector('#recorded-strength'))"
    )

    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(f"{running.url}/#recorded")
            await page.until("document.querySelector('#recorded-model').value === 'stand-in'")
            await page.evaluate("document.querySelector('#recorded-model').value = 'other'")
            await page.choose_file("#file", clip(Clip()))
            await page.until(f"{state('recorded')} === 'done'")
            first = await page.evaluate("location.hash")
            report = await running.get(f"/videos/{first.split('/')[1]}")
            assert (report["model"], report["strength"]) == ("other", 1)
            await page.evaluate(set_strength)
            await page.evaluate(click("#redo"))
            await page.until(f"location.hash !== {first!r}")
            await page.until(f"{state('recorded')} === 'done'")
            second = (await page.evaluate("location.hash")).split("/")[1]
            report = await running.get(f"/videos/{second}")
            assert (report["model"], report["strength"]) == ("other", 0.5)

    bounded(scenario())


def test_a_camera_can_be_kept_as_a_picture_and_as_a_video(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()

    async def found(suffixes: set[str]) -> list:
        while not (files := [path for path in kept.iterdir() if path.suffix in suffixes]):
            await asyncio.sleep(0.05)
        return files

    async def scenario():
        async with serving(tmp_path) as running, chromium(downloads=kept) as page:
            await page.open(running.url)
            await page.evaluate(click("#start"))
            await page.until(f"{state('live')} === 'running'")
            await page.evaluate(click("#snapshot"))
            (picture,) = await found({".png"})
            await page.evaluate(click("#record"))
            shown = "document.querySelector('#returned').getVideoPlaybackQuality().totalVideoFrames"
            count = await page.evaluate(shown)
            await page.until(f"{shown} > {count + 10}")
            await page.evaluate(click("#record"))
            (video,) = await found({".mp4", ".webm"})
            await page.evaluate(click("#stop"))
            return picture, video

    for path in bounded(scenario()):
        with av.open(str(path)) as container:
            first = next(container.decode(video=0))
            assert (first.width, first.height) == (640, 360)


def test_a_video_of_which_a_browser_plays_the_sound_alone_is_shown_by_a_preview(clip, tmp_path):
    """HEVC as phones record it: no error, and no picture either."""
    phone = clip(Clip(codec="libx265", audio="aac"))

    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await recorded(page, running, phone)
            await page.until("document.querySelector('#cleaned').src.endsWith('/preview')")
            await page.until("document.querySelector('#recorded-view canvas').width === 160")
            told = await page.evaluate("document.querySelector('#recorded .notice').innerText")
            assert told.startswith("This browser cannot play the video's format.")

    bounded(scenario())


def test_a_camera_stops_where_nobody_sees_it_and_goes_on_when_shown_again(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(running.url)
            await page.evaluate(click("#start"))
            await page.until(f"{state('live')} === 'running'")
            await page.evaluate(click("#tab-recorded"))
            while (await running.get("/stats"))["sessions"]["open"]:
                await asyncio.sleep(0.05)
            assert await page.evaluate(state("live")) == "idle"
            await page.evaluate(click("#tab-live"))
            await page.until(f"{state('live')} === 'running'")
            sessions = (await running.get("/stats"))["sessions"]
            assert (sessions["open"], sessions["opened"]) == (1, 2)
            assert not page.problems

    bounded(scenario())


async def recorded(page: Page, running: Running, path) -> None:
    await page.open(f"{running.url}/#recorded")
    await page.choose_file("#file", path)
