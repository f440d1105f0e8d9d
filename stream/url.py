"""Addresses on the network: with passwords, without them, and as people may see them."""

from __future__ import annotations

import re
import socket
from urllib.parse import quote, unquote, urlsplit


def without_password(url: str) -> str:
    """The address as messages and reports may show it; a file's name as it is.

    A password may hold `/`, `#`, `@` and `?` although it should not, so it is taken to reach to the
    last `@`; where that is behind a `?`, nobody can tell what follows it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    place, question, query = rest.partition("?")
    user, colon, secret = place.partition(":")
    if colon and "/" not in user:
        if "@" in query:
            return f"{scheme}://{user}:***"
        if "@" in secret:
            place = f"{user}:***@{secret.rpartition('@')[2]}"
    place = place.partition("#")[0]
    return f"{scheme}://{place}{'?***' if question else ''}"


_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[\w.-]*)(:\d*)?")


def credentials(url: str) -> tuple[str, str, str]:
    """The address without its user and password, and these two, unescaped; empty where none.

    A password may hold `/`, `#`, `@` and `?` although it should not, where the address means
    nothing otherwise.
    """
    scheme, separator, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    end = authority.rfind("@")
    if end < 0 and ":" in authority and not _HOST.fullmatch(authority):
        place = rest.partition("?")[0]
        end = place.rfind("@") if "@" in place else rest.rfind("@")
    if not separator or end <= 0:
        return url, "", ""
    user, _, password = rest[:end].partition(":")
    return f"{scheme}://{rest[end + 1 :]}", unquote(user), unquote(password)


def with_credentials(url: str, user: str, password: str) -> str:
    """An address with user and password, escaped as FFmpeg understands it."""
    if not user:
        return url
    scheme, _, rest = url.partition("://")
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{scheme}://{quote(user, safe='')}{secret}@{rest}"


def is_known_host(url: str) -> bool:
    """Whether the host of an address has an address itself; FFmpeg only says "input/output"."""
    try:
        host = urlsplit(url).hostname
        if host:
            socket.getaddrinfo(host, None)
    except ValueError:
        return True
    except OSError:
        return False
    return True
