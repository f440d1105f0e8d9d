"""The server's addresses: the page, cameras, uploaded videos, figures."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from stream.errors import DeblurError
from stream.inference.deblurrers import MAX_STRENGTH, Choice, Deblurrers
from stream.inference.shared import SharedDeblurrer
from stream.serve.guard import Guard, add_headers, sentence
from stream.serve.jobs import Jobs
from stream.serve.limits import Limits
from stream.serve.sessions import BusyError, RefusedError, Session, Sessions
from stream.serve.statistics import prometheus
from stream.serve.videos import Videos

MAX_OFFER = 64 * 1024
"""Bytes; a browser's offer of one video has some 6,000."""

_OFFER_S = 10.0

_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
}


class Server:
    """What the handlers share.

    Args:
        shared: Closed by its owner, after the application's clean-up.
        models: What it computes with; the default is for cameras.
        recorded: How recorded videos are cleaned where their owners have not chosen.
        limits: What a client may ask for.
        guard: Who may ask.
        folder: See `Jobs`.
    """

    def __init__(
        self,
        shared: SharedDeblurrer,
        models: Deblurrers,
        recorded: Choice,
        limits: Limits,
        guard: Guard,
        folder: Path | None = None,
    ) -> None:
        self._shared = shared
        self._models = models
        self._recorded = recorded
        self._about = {
            "model": models.default.model,
            "device": models.compute.device,
            "precision": models.compute.precision,
        }
        self._limits = limits
        self._guard = guard
        self._began = time.monotonic()
        self._page = _load_page()
        self._sessions = Sessions(shared, limits)
        self._jobs = Jobs(shared, models, limits, folder)
        self._videos = Videos(self._jobs, limits, self._choice)

    def application(self) -> web.Application:
        """With all routes; its clean-up ends every session and job."""
        app = web.Application(middlewares=[self._guard.check], client_max_size=MAX_OFFER)
        app.on_response_prepare.append(add_headers)
        app.on_startup.append(self._start)
        app.on_cleanup.append(self._close)  # when no handler runs any more
        app.add_routes(
            [
                web.get("/about", self._get_about),
                web.get("/healthz", self._get_health),
                web.get("/stats", self._get_stats),
                web.get("/metrics", self._get_metrics),
                web.post("/sessions", self._add_session),
                web.get("/sessions/{name}", self._get_session),
                web.patch("/sessions/{name}", self._change_session),
                web.delete("/sessions/{name}", self._remove_session),
                *self._videos.routes(),
                web.get("/{file:[a-z.0-9]*}", self._get_page),
            ]
        )
        return app

    async def _start(self, app: web.Application) -> None:
        self._jobs.start()

    async def _close(self, app: web.Application) -> None:
        await self._sessions.close()
        await self._jobs.close()

    async def _get_page(self, request: web.Request) -> web.Response:
        try:
            body, kind = self._page[request.match_info["file"]]
        except KeyError:
            raise web.HTTPNotFound from None
        charset = None if kind.startswith("video/") else "utf-8"
        return web.Response(body=body, content_type=kind, charset=charset)

    async def _get_about(self, request: web.Request) -> web.Response:
        limits = self._limits
        return web.json_response(
            self._about
            | {
                "upload_bytes": limits.upload_bytes,
                "video_s": limits.video_s,
                "keep_s": limits.keep_s,
                "models": self._models.names,
                "strength": self._models.default.strength,
                "recorded_models": self._models.recorded_names,
                "recorded_model": self._recorded.model,
            }
        )

    async def _get_health(self, request: web.Request) -> web.Response:
        """For what restarts a server that hangs: whoever gets this, the event loop still turns."""
        return web.json_response({"status": "ok"})

    def stats(self) -> dict[str, Any]:
        """What `/stats` shows."""
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
            "jobs": self._jobs.states(),
        }

    async def _get_stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _get_metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=prometheus(self.stats()), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        )

    async def _add_session(self, request: web.Request) -> web.Response:
        wish = await _json(request, "An offer is JSON with an sdp.")
        offer = wish.get("sdp")
        if not isinstance(offer, str):
            raise web.HTTPBadRequest(text="The sdp of an offer is a text.")
        choice = self._chosen(wish, self._models.default, self._models.names)
        await self._load(choice)
        try:
            session, answer = await self._sessions.start(offer)
        except BusyError as error:
            raise web.HTTPServiceUnavailable(
                text=sentence(error), headers={"Retry-After": "10"}
            ) from error
        except RefusedError as error:
            raise web.HTTPBadRequest(text=sentence(error)) from error
        self._models.choose(session.stream_id, choice)
        return web.json_response({"name": session.name, "sdp": answer}, status=201)

    async def _change_session(self, request: web.Request) -> web.Response:
        wish = await _json(request, "A change is JSON.")
        session = self._session(request)
        choice = self._chosen(wish, self._models.default, self._models.names)
        await self._load(choice)
        self._models.choose(self._session(request).stream_id, choice)
        return web.json_response(session.report())

    async def _load(self, choice: Choice) -> None:
        try:
            await asyncio.to_thread(self._models.model, choice.model)
        except DeblurError as error:
            raise web.HTTPServiceUnavailable(text=sentence(error)) from error

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
            if why := self._sessions.why_ended(name):
                raise web.HTTPGone(text=f"The stream has ended: {why}.") from None
            raise web.HTTPNotFound(text="The stream has ended.") from None

    def _choice(self, request: web.Request) -> Choice:
        """What a request's query says of the model and the strength, for a recorded video."""
        return self._chosen(request.query, self._recorded, self._models.recorded_names)

    def _chosen(self, wish: Mapping[str, Any], otherwise: Choice, names: Sequence[str]) -> Choice:
        model = wish.get("model", otherwise.model)
        if model not in names:
            raise web.HTTPBadRequest(text="There is no such model.")
        try:
            strength = float(wish.get("strength", otherwise.strength))
        except (TypeError, ValueError):
            raise web.HTTPBadRequest(text="The strength is a number.") from None
        if not 0 <= strength <= MAX_STRENGTH:
            raise web.HTTPBadRequest(text=f"The strength is from 0 to {MAX_STRENGTH}.")
        return Choice(model, strength)


async def _json(request: web.Request, words: str) -> dict[str, Any]:
    """The object that a request brings; ``words`` say what it should be."""
    try:
        async with asyncio.timeout(_OFFER_S):
            found = await request.json()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="The request did not arrive.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text=words)
    return found


def _load_page() -> dict[str, tuple[bytes, str]]:
    """The page's files, by the last part of their address."""
    files = {
        file.name: (file.read_bytes(), _KINDS[Path(file.name).suffix])
        for file in (resources.files("stream.serve") / "page").iterdir()
    }
    return files | {"": files.pop("index.html")}
