"""What it means that a source cannot be opened, in words, and whether trying again may help."""

from __future__ import annotations

import errno
import socket
from urllib.parse import urlsplit

import av

from stream.capture.container import reason
from stream.errors import AddressError, OpenError

_FINAL: tuple[tuple[type[Exception], str], ...] = (
    (av.error.HTTPUnauthorizedError, "wants another name or password, as in user:password@ (401)"),
    (av.error.HTTPForbiddenError, "does not let this user in (403)"),
    (av.error.HTTPNotFoundError, "has nothing of that name (404)"),
    (av.error.HTTPBadRequestError, "does not understand what is asked (400)"),
    (av.error.HTTPOtherClientError, "refuses what is asked"),
    (av.error.InvalidDataError, "sends something that is no video, such as a web page"),
)


def refusal(name: str, error: Exception) -> OpenError:
    """The error to raise for one of FFmpeg's or the system's.

    Args:
        name: The address, without passwords.
        error: Of opening it.
    """
    for kind, words in _FINAL:
        if isinstance(error, kind):
            return AddressError(f"{name} {words}")
    if isinstance(error, av.error.HTTPServerError):
        return OpenError(f"{name} has a fault of its own (5xx)")
    if getattr(error, "errno", None) == errno.EIO and not _known(name):
        return AddressError(f"{name}: no machine of that name is known; check it for typing errors")
    return OpenError(f"{name} cannot be opened ({reason(error)})")


def _known(name: str) -> bool:
    """Whether the host of an address has an address itself; FFmpeg only says "input/output"."""
    try:
        host = urlsplit(name).hostname
        if host:
            socket.getaddrinfo(host, None)
    except ValueError:
        return True
    except OSError:
        return False
    return True
