"""The page in a real Chromium, whose network or proxy loses and garbles answers."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from chromium import Page, chromium
from clips import Clip
from in_process import Fault, Running, bounded, serving

BAD_GATEWAY = "<html><body><h1>502 Bad Gateway</h1></body></html>"
TOO_LARGE = "<html>\r\n<head><title>413 Request Entity Too Large</title></head></html>"


pytestmark = pytest.mark.usefixtures("browser")


def page_of_proxy(status: int, body: str):
    return lambda: web.Response(status=status, text=body, content_type="text/html")


async def consumed(fault: Fault) -> None:
    """Goes on when the page has had all its wrong answers."""
    while fault.times:
        await asyncio.sleep(0.05)


def state(panel: str) -> str:
    return f"document.querySelector('#{panel}').dataset.state"


@pytest.mark.parametrize("response", [None, page_of_proxy(502, BAD_GATEWAY)])
def test_a_job_survives_polls_that_fail(clip, tmp_path, response):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(f"{running.url}/#recorded")
            running.engine.go.clear()
            await page.choose_file("#file", clip(Clip()))
            while not (await running.get("/stats"))["jobs"]["cleaning"]:
                await asyncio.sleep(0.05)
            fault = Fault("GET", "/videos/", 3, response)
            running.faults.append(fault)
            await consumed(fault)
            assert (await running.get("/stats"))["jobs"]["cleaning"] == 1
            assert await page.evaluate(state("recorded")) == "working"
            assert "<" not in await page.evaluate("document.body.innerText")
            running.engine.go.set()
            await page.until(f"{state('recorded')} === 'done'")
            assert await page.evaluate("document.querySelector('#recorded .notice').hidden")

    bounded(scenario())


def test_a_stream_survives_polls_that_fail(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(running.url)
            await page.evaluate("document.querySelector('#start').click()")
            await page.until(f"{state('live')} === 'running'")
            faults = [
                Fault("GET", "/sessions/", 2),
                Fault("GET", "/sessions/", 2, page_of_proxy(502, BAD_GATEWAY)),
            ]
            for fault in faults:
                running.faults.append(fault)
                await consumed(fault)
            assert await page.evaluate(state("live")) == "running"
            await answered_again(running, page)
            sessions = (await running.get("/stats"))["sessions"]
            assert (sessions["open"], sessions["opened"]) == (1, 1)
            await page.evaluate("document.querySelector('#stop').click()")
            await page.until(f"{state('live')} === 'idle'")

    bounded(scenario())


async def answered_again(running: Running, page: Page) -> None:
    """Goes on when a poll has come through and nothing is complained of any more."""
    asked = sum("/sessions/" in address for address in page.requests)
    while sum("/sessions/" in address for address in page.requests) < asked + 2:
        await asyncio.sleep(0.05)
    await page.until("document.querySelector('#live .notice').hidden")


def test_a_stream_that_is_gone_ends_with_the_reason(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(running.url)
            await page.evaluate("document.querySelector('#start').click()")
            await page.until(f"{state('live')} === 'running'")
            text = "The stream has ended: a reason."
            gone = Fault("GET", "/sessions/", 1, lambda: web.Response(status=404, text=text))
            running.faults.append(gone)
            await page.until(f"{state('live')} === 'idle'")
            told = await page.evaluate("document.querySelector('#live .notice').innerText")
            assert told == text

    bounded(scenario())


def test_what_a_proxy_refuses_is_a_sentence(clip, tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, chromium() as page:
            await page.open(f"{running.url}/#recorded")
            running.faults.append(Fault("POST", "/videos", 1, page_of_proxy(413, TOO_LARGE)))
            await page.choose_file("#file", clip(Clip()))
            told = await page.until("document.querySelector('#recorded .notice').innerText")
            assert told.startswith("The file is too large for the way to the server.")
            running.faults.append(Fault("POST", "/sessions", 1, page_of_proxy(502, BAD_GATEWAY)))
            await page.evaluate("document.querySelector('#tab-live').click()")
            await page.evaluate("document.querySelector('#start').click()")
            told = await page.until("document.querySelector('#live .notice').innerText")
            assert told == "The server is away for the moment."

    bounded(scenario())
