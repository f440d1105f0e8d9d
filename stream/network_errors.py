"""What FFmpeg's errors mean where somebody was to be reached over the network, as one table."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

import av


class Meaning(NamedTuple):
    """What to tell of an error.

    Attributes:
        words: The rest of a sentence that begins with the address.
        final: Whether trying again does not help.
    """

    words: str
    final: bool = False


_KINDS: tuple[tuple[type[Exception], Meaning], ...] = (
    (
        av.error.HTTPUnauthorizedError,
        Meaning("wants another name or password, as in user:password@ (401)", True),
    ),
    (av.error.HTTPForbiddenError, Meaning("does not let this user in (403)", True)),
    (av.error.HTTPNotFoundError, Meaning("has nothing of that name (404)", True)),
    (av.error.HTTPBadRequestError, Meaning("does not understand what is asked (400)", True)),
    (av.error.HTTPTooManyRequestsError, Meaning("is asked too often (429)")),
    (av.error.HTTPClientError, Meaning("refuses what is asked (4xx)", True)),
    (av.error.HTTPError, Meaning("has a fault of its own (5xx)")),
    (
        av.error.InvalidDataError,
        Meaning("sends something that is no video, such as a web page", True),
    ),
    (
        av.error.DecoderNotFoundError,
        Meaning("comes in a codec that this build of FFmpeg lacks", True),
    ),
    (av.error.ProtocolNotFoundError, Meaning("this build of FFmpeg has no such protocol", True)),
    (
        av.error.LookupError,
        Meaning("this build of FFmpeg lacks what is needed for it", True),
    ),
    (av.error.PatchWelcomeError, Meaning("comes in a way that FFmpeg cannot read yet", True)),
    (av.error.ExternalError, Meaning("cannot be connected to securely: TLS failed")),
    (av.error.EOFError, Meaning("hung up before anything came")),
    (av.error.ExitError, Meaning("nothing came in time")),
    (av.error.UnknownError, Meaning("refuses it without a reason; check the path and the key")),
)
_NUMBERS: dict[int, Meaning] = {
    errno.ECONNREFUSED: Meaning("connection refused: nobody listens there"),
    errno.ECONNRESET: Meaning("the other side hung up"),
    errno.ECONNABORTED: Meaning("the other side hung up"),
    errno.EPIPE: Meaning("the other side hung up"),
    errno.ETIMEDOUT: Meaning("nobody answers"),
    errno.EAGAIN: Meaning("nobody answers"),
    errno.EHOSTUNREACH: Meaning("there is no way to that machine"),
    errno.ENETUNREACH: Meaning("there is no way to that network"),
    errno.ENETDOWN: Meaning("the network is down"),
    errno.EADDRINUSE: Meaning("another program listens there already"),
    errno.EADDRNOTAVAIL: Meaning("this machine has no such address", True),
    errno.EACCES: Meaning("this user may not; ports below 1024 want more rights", True),
    errno.EPERM: Meaning("this user may not; a firewall or sandbox forbids it", True),
    errno.EINVAL: Meaning("this is no valid address, or its answer is none"),
    errno.EIO: Meaning("refuses what is asked, or hung up"),
    errno.ENOSYS: Meaning("FFmpeg cannot do this", True),
    errno.ENOMEM: Meaning("there is no memory left for it"),
}


def meaning_of(error: Exception) -> Meaning:
    """Return what an error of FFmpeg's or the system's means; its own words where unknown."""
    for kind, meaning in _KINDS:
        if isinstance(error, kind):
            return meaning
    number = getattr(error, "errno", None)
    if number in _NUMBERS:
        return _NUMBERS[number]
    said = getattr(error, "strerror", None) or (os.strerror(number) if number else str(error))
    return Meaning(f"cannot be reached ({said})")
