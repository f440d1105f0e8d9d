"""Binding, telling where the page is, and ending on Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stream.errors import SinkError
from stream.inference.deblurrers import Choice, Deblurrers
from stream.inference.shared import SharedDeblurrer
from stream.serve.app import Server
from stream.serve.guard import Guard, is_loopback, new_token
from stream.serve.limits import Limits
from stream.serve.listener import listening

_MAX_BATCH = {"cpu": 1, "gpu": 8}
"""On a CPU a frame costs no less in a batch, and the first one waits for the last."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: Name or address.
        port: 0 for any that is free.
        certificate: A PEM file, for https.
        key: Its key, where that is not in the same file.
        names: Further names by which the server is reached, behind a proxy or by DNS.
        token: What every request must bring. None makes one up where other machines reach the
            server, and demands none where they don't.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()
    token: str | None = None


def serve(
    models: Deblurrers,
    recorded: Choice,
    address: Address,
    limits: Limits,
    on_ready: Callable[[str], None],
    *,
    log: logging.Logger | None = None,
    folder: Path | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; then end every stream and the work on every upload.

    Args:
        models: Used and closed on a thread of its own.
        recorded: How recorded videos are cleaned where their owners have not chosen.
        address: Where to listen. Other machines reach anything but a loopback address, so there a
            token is demanded.
        limits: What clients may ask for.
        on_ready: Called with the page's address, token included, once it can be opened.
        log: Gets a line for each request.
        folder: Where uploaded videos lie, and are taken up by the next server; None keeps nothing.

    Raises:
        SinkError: The address is taken or not ours, or the certificate is unfit.
    """
    asyncio.run(_serve(models, recorded, address, limits, on_ready, log, folder))


async def _serve(
    models: Deblurrers,
    recorded: Choice,
    address: Address,
    limits: Limits,
    on_ready: Callable[[str], None],
    log: logging.Logger | None,
    folder: Path | None,
) -> None:
    tls = _tls(address)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows: there Ctrl-C cancels this coroutine
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    token = address.token or (None if is_loopback(address.host) else new_token())
    shared = SharedDeblurrer(models, max_batch=_MAX_BATCH[models.compute.device])
    try:
        server = Server(
            shared, models, recorded, limits, Guard(address.host, token, address.names), folder
        )
        async with contextlib.AsyncExitStack() as stack:
            listener = listening(server.application(), address.host, address.port, tls=tls, log=log)
            try:
                port = await stack.enter_async_context(listener)
            except OSError as error:
                where = f"{address.host} port {address.port}"
                raise SinkError(
                    f"{where} cannot be bound ({_why(error)}); choose another"
                ) from error
            query = f"/?token={token}" if token else "/"
            on_ready(f"{'https' if tls else 'http'}://{_reachable(address.host)}:{port}{query}")
            await stop.wait()
    finally:
        shared.close()


def _reachable(host: str) -> str:
    """How to write the host in an address that others can open."""
    try:
        version = ipaddress.ip_address(host)
    except ValueError:
        return host
    if version.is_unspecified:
        version = ipaddress.ip_address(_own_address())
    return f"[{version}]" if version.version == 6 else str(version)


def _own_address() -> str:
    """Of the interface that leads outside; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation, RFC 5737
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _why(error: OSError) -> str:
    """Without the address, which asyncio puts into its words once more."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


def _tls(address: Address) -> ssl.SSLContext | None:
    if address.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(address.certificate, address.key)
    except (OSError, ssl.SSLError) as error:
        raise SinkError(
            f"{address.certificate} cannot be used for https ({error}): name a PEM file of a "
            "certificate, and with --key that of its key"
        ) from error
    return context
