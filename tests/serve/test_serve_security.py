"""What the server refuses, and that a stream which runs meanwhile goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import socket

import aiohttp
import pytest
from in_process import Caller, Running, bounded, serving, streaming

from stream.serve.guard import COOKIE, is_loopback, new_token
from stream.serve.limits import Limits

TOKEN = "a" * 32
ROUTES = [
    ("GET", "/"),
    ("GET", "/page.js"),
    ("GET", "/about"),
    ("GET", "/stats"),
    ("GET", "/metrics"),
    ("POST", "/sessions"),
    ("GET", "/sessions/x"),
    ("DELETE", "/sessions/x"),
    ("POST", "/videos"),
    ("GET", "/videos/x"),
    ("GET", "/videos/x/result"),
    ("GET", "/videos/x/original"),
    ("GET", "/videos/x/look"),
    ("GET", "/videos/x/preview"),
    ("POST", "/videos/x/preview"),
    ("POST", "/videos/x/again"),
    ("PATCH", "/sessions/x"),
    ("DELETE", "/videos/x"),
    ("GET", "/nothing"),
]


def test_health_is_told_without_the_token_and_nothing_else(tmp_path):
    async def scenario():
        async with serving(tmp_path, token=TOKEN) as running:
            assert await running.get("/healthz") == {"status": "ok"}
            assert await running.status("POST", "/healthz") == 405
            assert await running.status("GET", "/healthz/") == 401
            host = {"Host": "evil.example"}
            assert await running.status("GET", "/healthz", headers=host) == 421

    bounded(scenario())


@pytest.mark.parametrize("count", [100, pytest.param(1500, marks=pytest.mark.slow)])
def test_connections_that_ask_for_nothing_are_closed_while_a_stream_goes_on(count, tmp_path):
    """A long upload is not cut by that."""

    async def scenario():
        async with serving(tmp_path, headers_s=0.5) as running, streaming(running):
            host, port = running.url.removeprefix("http://").split(":")
            half = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
            for _, writer in half:
                writer.write(b"GET / HTTP/1.1\r\nHost: loc")
            for reader, writer in half:
                with contextlib.suppress(ConnectionResetError):  # closed before it was written to
                    assert await reader.read() == b""
                writer.close()
            parts = _slowly([b"x"] * 30)
            assert await running.status("POST", "/videos", data=parts) == 415

    async def _slowly(parts):
        for part in parts:
            yield part
            await asyncio.sleep(0.05)

    bounded(scenario())


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n",
    ],
)
def test_what_is_no_proper_request_is_one_line_of_the_log(tmp_path, caplog, head):
    async def scenario():
        async with serving(tmp_path) as running:
            assert (await raw(running, head)).split(b" ")[1] == b"400"

    caplog.set_level("INFO", "stream.serve.faults")
    bounded(scenario())
    (record,) = [entry for entry in caplog.records if entry.name == "stream.serve.faults"]
    assert record.exc_info is None
    assert record.getMessage().startswith("a client sent no proper request (")
    assert "\n" not in record.getMessage()


def test_the_log_of_requests_holds_no_token_and_no_name_of_an_upload(tmp_path, caplog):
    async def scenario():
        async with serving(tmp_path, token=TOKEN, log=logging.getLogger("requests")) as running:
            await running.status("GET", "/about", params={"token": TOKEN})
            await running.status("GET", f"/videos/{'v' * 22}/result", params={"token": TOKEN})
            await running.status("GET", "/stats")

    caplog.set_level("INFO", "requests")
    bounded(scenario())
    lines = [entry.getMessage() for entry in caplog.records if entry.name == "requests"]
    assert [line.rsplit(" ", 5)[0] for line in lines] == [
        "127.0.0.1 GET /about",
        "127.0.0.1 GET /videos/vvvv…/result",
        "127.0.0.1 GET /stats",
    ]
    assert [line.split(" ")[3] for line in lines] == ["200", "404", "401"]


def test_nothing_is_given_without_the_token(tmp_path):
    async def scenario():
        async with serving(tmp_path, token=TOKEN) as running:
            for method, path in ROUTES:
                for headers in (
                    {},
                    {"Authorization": f"Bearer {TOKEN}x"},
                    {"Authorization": "Bearer \udcff"},
                    {"Cookie": f"{COOKIE}={TOKEN[:-1]}"},
                    {"Cookie": f"{COOKIE}="},
                ):
                    assert await running.status(method, path, headers=headers) == 401, path
                assert await running.status(method, path, params={"token": "b"}) == 401
                bearer = {"Authorization": f"Bearer {TOKEN}"}
                assert await running.status(method, path, headers=bearer) != 401

    bounded(scenario())


def test_the_printed_address_leaves_a_cookie_that_is_enough(tmp_path):
    async def scenario():
        async with serving(tmp_path, token=TOKEN) as running:
            # a cookie jar keeps none of an address
            async with running.http.get(running.url, params={"token": TOKEN}) as response:
                assert response.status == 200
                cookie = response.cookies[COOKIE]
            assert cookie["httponly"]
            assert cookie["samesite"] == "Strict"
            headers = {"Cookie": f"{COOKIE}={cookie.value}"}
            assert await running.status("GET", "/stats", headers=headers) == 200

    bounded(scenario())


def test_tokens_are_long_and_never_the_same():
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.2", False),
        ("no such name", False),
    ],
)
def test_only_loopback_addresses_need_no_token(host, alone):
    assert is_loopback(host) == alone


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:9", 200),
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example:127.0.0.1", 421),
        ("user@evil.example", 421),
        ("192.0.2.7", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_a_name_that_somebody_points_at_us_is_refused(tmp_path, host, status):
    async def scenario():
        async with serving(tmp_path) as running:
            assert await running.status("GET", "/stats", headers={"Host": host}) == status

    bounded(scenario())


def test_further_names_can_be_given(tmp_path):
    async def scenario():
        async with serving(tmp_path, names=["Deblur.example"]) as running:
            for host, status in (("deblur.example:443", 200), ("x.deblur.example", 421)):
                assert await running.status("GET", "/stats", headers={"Host": host}) == status

    bounded(scenario())


def test_with_a_token_any_address_and_our_own_name_will_do(tmp_path):
    async def scenario():
        async with serving(tmp_path, token=TOKEN) as running:
            bearer = {"Authorization": f"Bearer {TOKEN}"}
            for host in ("192.0.2.7:8080", "[fd00::2]", socket.gethostname()):
                assert await running.status("GET", "/stats", headers=bearer | {"Host": host}) == 200
            host = {"Host": "evil.example"}
            assert await running.status("GET", "/stats", headers=bearer | host) == 421

    bounded(scenario())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_others_may_change_nothing(tmp_path, headers):
    async def scenario():
        async with serving(tmp_path) as running:
            for method, path in ROUTES:
                if method != "GET":
                    assert await running.status(method, path, headers=headers) == 403
            own = {"Origin": running.url}
            assert await running.status("DELETE", "/videos/x", headers=own) == 404
            assert await running.status("OPTIONS", "/videos", headers=own) == 405

    bounded(scenario())


def test_every_answer_keeps_the_page_to_itself(tmp_path):
    async def scenario():
        async with serving(tmp_path, token=TOKEN) as running:
            for query, status in ((f"/?token={TOKEN}", 200), ("/", 401), ("/%00", 401)):
                async with running.http.get(running.url + query) as response:
                    assert response.status == status
                    policy = response.headers["Content-Security-Policy"]
                    assert policy.startswith("default-src 'none'; script-src 'self'; ")
                    assert "unsafe" not in policy
                    assert "*" not in policy
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
                    assert response.headers["Cache-Control"] == "no-store"
                    assert "Access-Control-Allow-Origin" not in response.headers

    bounded(scenario())


TRICKS = [
    b"/../../../etc/passwd",
    b"/..%2f..%2f..%2fetc%2fpasswd",
    b"/%2e%2e/%2e%2e/etc/passwd",
    b"//etc/passwd",
    b"/./page/../app.py",
    b"/page.js/../../guard.py",
    b"/page.js%00.css",
    b"/page.js;x",
    b"/videos/../../etc/passwd/result",
    b"/videos/..%2f..%2fetc%2fpasswd/result",
    b"/videos//result",
    b"/sessions/%2e%2e",
    b"/__init__.py",
    b"/\\..\\..\\etc\\passwd",
    b"http://evil.example/etc/passwd",
]


def test_no_path_leads_out_while_a_stream_goes_on(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, streaming(running):
            for path in TRICKS:
                head = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n"
                answer = await raw(running, head)
                assert answer.split(b" ", 2)[1] in (b"400", b"404", b"421"), (path, answer[:200])
                assert b"root:" not in answer
                assert b"import" not in answer

    bounded(scenario())


async def raw(running: Running, head: bytes, body: bytes = b"") -> bytes:
    """Send bytes as they are, and read the whole answer."""
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head + b"Connection: close\r\n\r\n" + body)
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.slow
def test_a_thousand_offers_that_were_torn_up_end_nothing(tmp_path):
    """Of a good offer bytes are changed, lines doubled, left out and moved, and JSON is cut."""

    async def scenario():
        rng = random.Random(1)
        async with serving(tmp_path) as running, streaming(running):
            caller = Caller(running)
            good = await caller.offer()
            await caller.close()
            for index in range(1000):
                lines = good.splitlines(keepends=True)
                for _ in range(rng.randrange(1, 4)):
                    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
                    kind = rng.randrange(4)
                    if kind == 0:
                        lines[place] = lines[other]
                    elif kind == 1:
                        lines.insert(place, lines[other])
                    elif kind == 2:
                        lines[place] = ""
                    else:
                        at = rng.randrange(len(lines[place]) + 1)
                        lines[place] = lines[place][:at] + chr(rng.randrange(1, 300))
                body = json.dumps({"sdp": "".join(lines)}).encode()
                if index % 2:
                    body = body[: rng.randrange(len(body))]
                async with running.http.post(f"{running.url}/sessions", data=body) as response:
                    assert response.status in (201, 400, 503), body
                    if response.status == 201:  # what was changed did not matter
                        name = (await response.json())["name"]
                        assert await running.status("DELETE", f"/sessions/{name}") == 204
            assert (await running.get("/stats"))["sessions"]["open"] == 1

    bounded(scenario())


def test_malformed_offers_are_refused_while_a_stream_goes_on(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running, streaming(running):
            caller = Caller(running)
            good = await caller.offer()
            await caller.close()
            video = good[good.index("m=video") :]
            lines = good.splitlines(keepends=True)
            candidates = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 65
            bad = [
                "",
                "v=0",
                "\x00" * 100,
                "m=video\r\n",
                "m=video 99999999 x y\r\n",
                good.replace("m=video", "m=audio"),
                good + video,
                good.replace("a=sendrecv", "a=recvonly"),
                good.replace("a=sendrecv", "a=inactive"),
                good.replace("VP8", "XX8"),
                good.replace("a=ice-ufrag:", "a=nothing:"),
                good.replace("a=fingerprint:", "a=nothing:"),
                good.replace("a=setup:actpass", "a=setup:sideways"),
                good + candidates,
                *("".join(lines[:count]) for count in range(1, len(lines) // 2, 3)),
            ]
            for offer in bad:
                assert await running.status("POST", "/sessions", json={"sdp": offer}) == 400, offer
            for body in (b"", b"{", b"[]", b"null", b'{"sdp": 3}', b"\xff", b"[" * 60_000):
                assert await running.status("POST", "/sessions", data=body) == 400
            assert await running.status("POST", "/sessions", data=b"x" * 100_000) == 413
            stats = (await running.get("/stats"))["sessions"]
            assert (stats["open"], stats["refused"]) == (1, len(bad))

    bounded(scenario())


def test_a_hundred_clients_at_once_leave_a_running_stream_alone(tmp_path):
    async def scenario():
        async with serving(tmp_path, Limits(sessions=2)) as running, streaming(running):
            caller = Caller(running)
            offer = {"sdp": await caller.offer()}
            host, port = running.url.removeprefix("http://").split(":")
            idle = [await asyncio.open_connection(host, int(port)) for _ in range(100)]
            for _, writer in idle:
                writer.write(b"GET / HTTP/1.1\r\nHost: loc")  # and never more
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as many:
                posts = (many.post(running.url + "/sessions", json=offer) for _ in range(100))
                answers = await asyncio.gather(*posts)
                statuses = [answer.status for answer in answers]
                assert "Retry-After" in answers[-1].headers
                for answer in answers:
                    answer.release()
            assert sorted(statuses) == [201] + [503] * 99
            for _, writer in idle:
                writer.close()
            await caller.close()

    bounded(scenario())


def test_uploads_beyond_the_limit_are_cut_off_while_a_stream_goes_on(tmp_path):
    async def endless():
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0)

    async def slow():
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    async def scenario():
        limits = Limits(upload_bytes=1 << 20, upload_s=0.5)
        async with serving(tmp_path, limits) as running, streaming(running):
            head = b"POST /videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n"
            assert (await raw(running, head)).startswith(b"HTTP/1.1 413")
            with contextlib.suppress(aiohttp.ClientConnectionError):  # it may be cut while sending
                assert await running.status("POST", "/videos", data=endless()) == 413
            with contextlib.suppress(aiohttp.ClientConnectionError):
                assert await running.status("POST", "/videos", data=slow()) == 413
            while any(running.folder.glob("*/*")):
                await asyncio.sleep(0.05)
            jobs = (await running.get("/stats"))["jobs"]
            assert not any(jobs.values())

    bounded(scenario())


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path):
    async def scenario():
        async with serving(tmp_path) as running:
            host, port = running.url.removeprefix("http://").split(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(
                b"POST /videos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nabc"
            )
            while not (await running.get("/stats"))["jobs"]["uploading"]:
                await asyncio.sleep(0.02)
            writer.close()
            while (await running.get("/stats"))["jobs"]["uploading"]:
                await asyncio.sleep(0.02)
            assert not list(running.folder.glob("*/*"))

    bounded(scenario())
