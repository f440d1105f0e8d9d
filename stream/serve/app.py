"""The server's addresses: the page, cameras, uploaded videos, figures."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

from aiohttp import web

from stream.containers import mime_of
from stream.errors import DeblurError
from stream.inference.device import Compute
from stream.inference.shared import SharedDeblurrer
from stream.serve.guard import Guard, add_headers
from stream.serve.jobs import Job, Jobs, TooMuchError
from stream.serve.limits import Limits
from stream.serve.sessions import BusyError, RefusedError, Session, Sessions
from stream.serve.statistics import prometheus

MAX_OFFER = 64 * 1024
"""Bytes; a browser's offer of one video has some 6,000."""

_OFFER_S = 10.0

_PAGE = {
    "": ("index.html", "text/html"),
    "style.css": ("style.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "ask.js": ("ask.js", "text/javascript"),
    "compare.js": ("compare.js", "text/javascript"),
    "live.js": ("live.js", "text/javascript"),
    "recorded.js": ("recorded.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}


class Server:
    """What the handlers share.

    Args:
        shared: Closed by its owner, after the application's clean-up.
        model: Its name.
        compute: Where it runs.
        limits: What a client may ask for.
        guard: Who may ask.
    """

    def __init__(
        self, shared: SharedDeblurrer, model: str, compute: Compute, limits: Limits, guard: Guard
    ) -> None:
        self._shared = shared
        self._about = {
            "model": model,
            "device": compute.device,
            "precision": compute.precision,
        }
        self._limits = limits
        self._guard = guard
        self._began = time.monotonic()
        self._page = _load_page()
        self._sessions = Sessions(shared, limits)
        self._jobs = Jobs(shared, limits)

    def application(self) -> web.Application:
        """With all routes; its clean-up ends every session and job."""
        app = web.Application(middlewares=[self._guard.check], client_max_size=MAX_OFFER)
        app.on_response_prepare.append(add_headers)
        app.on_cleanup.append(self._close)  # when no handler runs any more
        app.add_routes(
            [
                web.get("/about", self._get_about),
                web.get("/healthz", self._get_health),
                web.get("/stats", self._get_stats),
                web.get("/metrics", self._get_metrics),
                web.post("/sessions", self._add_session),
                web.get("/sessions/{name}", self._get_session),
                web.delete("/sessions/{name}", self._remove_session),
                web.post("/videos", self._add_video),
                web.get("/videos/{name}", self._get_video),
                web.get("/videos/{name}/result", self._get_result),
                web.delete("/videos/{name}", self._remove_video),
                web.get("/{file:[a-z.]*}", self._get_page),
            ]
        )
        return app

    async def _close(self, app: web.Application) -> None:
        await self._sessions.close()
        await self._jobs.close()

    async def _get_page(self, request: web.Request) -> web.Response:
        try:
            body, kind = self._page[request.match_info["file"]]
        except KeyError:
            raise web.HTTPNotFound from None
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _get_about(self, request: web.Request) -> web.Response:
        limits = self._limits
        return web.json_response(
            self._about | {"upload_bytes": limits.upload_bytes, "video_s": limits.video_s}
        )

    async def _get_health(self, request: web.Request) -> web.Response:
        """For what restarts a server that hangs: whoever gets this, the event loop still turns."""
        return web.json_response({"status": "ok"})

    def stats(self) -> dict[str, Any]:
        """What `/stats` shows."""
        states = self._jobs.states()
        return self._about | {
            "uptime_s": round(time.monotonic() - self._began, 3),
            "sessions": {
                "open": len(self._sessions),
                "opened": self._sessions.opened,
                "refused": self._sessions.refused,
                "limit": self._limits.sessions,
            },
            "live": self._sessions.total().report(),
            "engine": {
                "batches": self._shared.batches,
                "frames": self._shared.frames,
                "busy_s": round(self._shared.busy_s, 3),
            },
            "jobs": {state: states[state] for state in Job.STATES},
        }

    async def _get_stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _get_metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=prometheus(self.stats()).encode(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def _add_session(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_OFFER_S):
                offer = (await request.json())["sdp"]
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="The offer did not arrive.") from None
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, TypeError, KeyError):
            raise web.HTTPBadRequest(text="An offer is JSON with an sdp.") from None
        if not isinstance(offer, str):
            raise web.HTTPBadRequest(text="The sdp of an offer is a text.")
        try:
            session, answer = await self._sessions.start(offer)
        except BusyError as error:
            raise web.HTTPServiceUnavailable(
                text=_sentence(error), headers={"Retry-After": "10"}
            ) from error
        except RefusedError as error:
            raise web.HTTPBadRequest(text=_sentence(error)) from error
        return web.json_response({"name": session.name, "sdp": answer}, status=201)

    async def _get_session(self, request: web.Request) -> web.Response:
        return web.json_response(self._session(request).report())

    async def _remove_session(self, request: web.Request) -> web.Response:
        await self._sessions.stop(request.match_info["name"])  # the peer may have ended it already
        return web.Response(status=204)

    def _session(self, request: web.Request) -> Session:
        name = request.match_info["name"]
        try:
            return self._sessions[name]
        except KeyError:
            why = self._sessions.why_ended(name)
            text = f"The stream has ended: {why}." if why else "The stream has ended."
            raise web.HTTPNotFound(text=text) from None

    async def _add_video(self, request: web.Request) -> web.Response:
        try:
            self._jobs.require_size(request.content_length or 0)
            job = await self._jobs.add(_chunks(request))
        except TooMuchError as error:
            raise web.HTTPRequestEntityTooLarge(
                max_size=self._limits.upload_bytes, actual_size=0, text=_sentence(error)
            ) from error
        except DeblurError as error:
            raise web.HTTPUnsupportedMediaType(text=_sentence(error)) from error
        except OSError as error:
            raise web.HTTPInsufficientStorage(text="The server has no room for it.") from error
        return web.json_response({"name": job.name}, status=201)

    async def _get_video(self, request: web.Request) -> web.Response:
        return web.json_response(self._job(request).report())

    async def _get_result(self, request: web.Request) -> web.StreamResponse:
        result = self._job(request).result
        if result is None:
            raise web.HTTPConflict(text="The video is not done.")
        return web.FileResponse(result, headers={"Content-Type": mime_of(result)})

    async def _remove_video(self, request: web.Request) -> web.Response:
        await self._jobs.remove(self._job(request).name)
        return web.Response(status=204)

    def _job(self, request: web.Request) -> Job:
        try:
            return self._jobs[request.match_info["name"]]
        except KeyError:
            raise web.HTTPNotFound(text="The video is gone.") from None


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_chunked(1 << 18):
        yield chunk


def _load_page() -> dict[str, tuple[bytes, str]]:
    folder = resources.files("stream.serve") / "page"
    return {name: ((folder / file).read_bytes(), kind) for name, (file, kind) in _PAGE.items()}


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
