"""Where clients connect: binding, hanging up on those that ask for nothing, the log of requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError

HEADERS_S = 10.0
"""Seconds from the connection to the end of the first request's head."""

_IDLE_S = 30.0  # between two requests of one connection
_LINGER_S = 2.0  # for the rest of an upload that was refused, so that the refusal is read
_SHUTDOWN_S = 3.0  # for requests under way

_SECRET = re.compile(r"^(/(?:sessions|videos)/.{4})[^/]+")  # whoever knows such a name may use it

_faults = logging.getLogger("stream.serve.faults")


@contextlib.asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    headers_s: float = HEADERS_S,
    log: logging.Logger | None = None,
) -> AsyncIterator[int]:
    """Serve an application while the context lasts; the value is the port.

    Args:
        app: Cleaned up at the end.
        host: Name or address to bind to.
        port: 0 for any that is free.
        tls: For https.
        headers_s: A connection that has not asked for anything by then is closed.
        log: Gets a line for each request.

    Raises:
        OSError: The address cannot be bound.
    """
    runner = web.AppRunner(
        app,
        access_log_class=RequestLog,
        access_log=log,
        logger=_faults,
        keepalive_timeout=_IDLE_S,
        shutdown_timeout=_SHUTDOWN_S,
        lingering_time=_LINGER_S,
    )
    await runner.setup()
    try:
        listener = await asyncio.get_running_loop().create_server(
            _Hurry(runner.server, headers_s),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=headers_s if tls else None,
            backlog=128,
            reuse_address=True,
        )
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
    finally:
        await runner.cleanup()


class _Hurry:
    """Makes aiohttp's protocols, and ends those that have got no request in time.

    aiohttp 3.14 has a time-out between two requests of a connection, and none before the first.
    """

    def __init__(self, server: web.Server | None, headers_s: float) -> None:
        if server is None:
            raise RuntimeError("an application is set up before it listens")
        self._server = server
        self._make_request = server.request_factory
        self._headers_s = headers_s
        self._waiting: dict[Any, asyncio.TimerHandle] = {}
        server.request_factory = self._on_request

    def __call__(self) -> asyncio.Protocol:
        protocol = self._server()
        loop = asyncio.get_running_loop()
        self._waiting[protocol] = loop.call_later(self._headers_s, self._give_up, protocol)
        return protocol

    def _on_request(self, message: Any, payload: Any, protocol: Any, *rest: Any) -> web.BaseRequest:
        if timer := self._waiting.pop(protocol, None):
            timer.cancel()
        return self._make_request(message, payload, protocol, *rest)

    def _give_up(self, protocol: Any) -> None:
        self._waiting.pop(protocol, None)
        protocol.force_close()


class RequestLog(AbstractAccessLogger):
    """A line for each request: who, what, how it ended; no token, no name of an upload."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; called by aiohttp when a request is over."""
        self.logger.info(
            "%s %s %s %d %d B %.0f ms",
            request.remote or "-",
            request.method,
            _SECRET.sub(r"\1…", request.path),
            response.status,
            response.body_length,
            1e3 * time,
        )


class _Short(logging.Filter):
    """What is no HTTP is the client's mistake: one line, without our stack."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            words = " ".join(str(error.message).split())
            record.msg, record.args = "a client sent no proper request (%s)", (words[:120],)
            record.exc_info, record.levelno, record.levelname = None, logging.INFO, "INFO"
        return True


_faults.addFilter(_Short())
