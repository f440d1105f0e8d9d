"""Addresses on the network, as people may see them."""

from urllib.parse import urlsplit, urlunsplit


def without_password(url: str) -> str:
    """The address as messages and reports may show it."""
    parts = urlsplit(url)
    credentials, at, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    shown = f"{user}:***@{host}" if at and ":" in credentials else parts.netloc
    return urlunsplit((parts.scheme, shown, parts.path, "***" if parts.query else "", ""))
