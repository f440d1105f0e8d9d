"""The addresses of uploaded videos."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from stream.containers import mime_of
from stream.errors import DeblurError
from stream.inference.deblurrers import Choice
from stream.serve.guard import sentence
from stream.serve.job import Job
from stream.serve.jobs import Jobs
from stream.serve.limits import Limits
from stream.serve.upload import TooMuchError, TooSlowError, require_size


class Videos:
    """What the handlers share.

    Args:
        jobs: Closed by their owner.
        limits: What a client may ask for.
        choice: Of a request: the model and the strength that it names.
    """

    def __init__(self, jobs: Jobs, limits: Limits, choice: Callable[[web.Request], Choice]) -> None:
        self._jobs = jobs
        self._limits = limits
        self._choice = choice

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.post("/videos", self._add),
            web.get("/videos/{name}", self._get),
            web.delete("/videos/{name}", self._remove),
            web.get("/videos/{name}/original", self._get_original),
            web.get("/videos/{name}/result", self._get_result),
            web.get("/videos/{name}/look", self._get_look),
            web.get("/videos/{name}/preview", self._get_preview),
            web.post("/videos/{name}/preview", self._make_preview),
            web.post("/videos/{name}/again", self._again),
        ]

    async def _add(self, request: web.Request) -> web.Response:
        choice = self._choice(request)
        try:
            require_size(request.content_length or 0, self._limits)
            job = await self._jobs.add(_chunks(request), request.query.get("file", ""), choice)
        except TooMuchError as error:
            raise self._too_much(error) from error
        except TooSlowError as error:
            raise web.HTTPRequestTimeout(text=sentence(error)) from error
        except DeblurError as error:
            raise web.HTTPUnsupportedMediaType(text=sentence(error)) from error
        except OSError as error:
            raise web.HTTPInsufficientStorage(text="The server has no room for it.") from error
        return web.json_response({"name": job.name}, status=201)

    async def _again(self, request: web.Request) -> web.Response:
        before = self._job(request)
        if before.record is None:
            raise web.HTTPConflict(text="The video is not here yet.")
        try:
            job = await self._jobs.again(before, self._choice(request))
        except TooMuchError as error:
            raise self._too_much(error) from error
        except OSError as error:
            raise web.HTTPInsufficientStorage(text="The server has no room for it.") from error
        return web.json_response({"name": job.name}, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._jobs.report(self._job(request)))

    async def _remove(self, request: web.Request) -> web.Response:
        await self._jobs.remove(self._job(request).name)
        return web.Response(status=204)

    async def _get_original(self, request: web.Request) -> web.StreamResponse:
        job = self._done(request)
        return _file(job, job.source)

    async def _get_result(self, request: web.Request) -> web.StreamResponse:
        job = self._done(request)
        return _file(job, job.target)

    async def _get_look(self, request: web.Request) -> web.Response:
        looks = self._job(request).looks
        data = await asyncio.to_thread(looks.jpeg)
        if data is None:
            raise web.HTTPConflict(text="There is no picture yet.")
        return web.Response(body=data, content_type="image/jpeg")

    async def _make_preview(self, request: web.Request) -> web.Response:
        self._jobs.make_preview(self._done(request))
        return web.Response(status=204)

    async def _get_preview(self, request: web.Request) -> web.StreamResponse:
        job = self._job(request)
        if job.preview != "done":
            raise web.HTTPConflict(text="There is no preview yet.")
        return web.FileResponse(job.preview_path, headers={"Content-Type": "video/mp4"})

    def _done(self, request: web.Request) -> Job:
        job = self._job(request)
        if job.state != "done":
            raise web.HTTPConflict(text="The video is not done.")
        return job

    def _job(self, request: web.Request) -> Job:
        try:
            return self._jobs[request.match_info["name"]]
        except KeyError:
            raise web.HTTPNotFound(text="The video is gone.") from None

    def _too_much(self, error: TooMuchError) -> web.HTTPException:
        return web.HTTPRequestEntityTooLarge(
            max_size=self._limits.upload_bytes, actual_size=0, text=sentence(error)
        )


def _file(job: Job, path: object) -> web.FileResponse:
    return web.FileResponse(str(path), headers={"Content-Type": mime_of(job.target)})


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_chunked(1 << 18):
        yield chunk
