"""Who may ask: the right name in Host, a page of our own in Origin, and off loopback the token.

A browser runs pages of other sites beside ours. Such a page can send requests here, and with DNS
rebinding even read the answers; the checks of Host and Origin end both. They are no matter of trust
in the network: that is what the token is for.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "deblur_token"

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OPEN = frozenset({"/healthz"})  # says no more than that somebody listens

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that binds to ``host``."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0])).is_loopback for entry in found)


def new_token() -> str:
    """192 random bits."""
    return secrets.token_urlsafe(24)


class Guard:
    """Refuses requests, before any handler sees them.

    Args:
        host: What the server binds to, as the user gave it.
        token: What every request must bring, in the cookie, as a bearer or once in the query; None
            where only this machine reaches the server.
        names: Further ones by which the server is reached.
    """

    def __init__(self, host: str, token: str | None, names: Sequence[str] = ()) -> None:
        self._token = token
        self._hosts = {"localhost", host.lower(), *(name.lower() for name in names)}
        if token is not None:
            name = socket.gethostname().lower()
            self._hosts |= {name, f"{name}.local"}

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware."""
        if not self._is_our_host(request.host):
            raise web.HTTPMisdirectedRequest(text="This server does not go by that name.")
        if request.path not in _OPEN and not self._has_token(request):
            raise web.HTTPUnauthorized(
                text="Open the address that deblur serve has printed: it contains the token.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if request.method not in _SAFE_METHODS and not _is_our_page(request):
            raise web.HTTPForbidden(text="Only the server's own page may ask for that.")
        response = await handler(request)
        if self._token is not None and request.query.get("token") == self._token:
            response.set_cookie(
                COOKIE, self._token, httponly=True, samesite="Strict", secure=request.secure
            )
        return response

    def _is_our_host(self, host: str) -> bool:
        """An attacker can point a name of his own at us, but not an address."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._token is not None or address.is_loopback

    def _has_token(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        offered = (
            bearer if scheme.lower() == "bearer" else "",
            request.cookies.get(COOKIE, ""),
            request.query.get("token", ""),
        )
        token = self._token.encode()
        return any(hmac.compare_digest(token, _bytes(text)) for text in offered)


def _is_our_page(request: web.Request) -> bool:
    """Browsers send Origin with every request that changes something; other programs need not."""
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    return origin.lower().partition("://")[2] == request.host.lower()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # headers may hold any byte


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: nothing from elsewhere runs in the page, nothing is cached."""
    response.headers.update(_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


def sentence(error: Exception) -> str:
    """What an error says, as a client reads it."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
