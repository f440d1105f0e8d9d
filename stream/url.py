"""Addresses on the network, as people may see them."""

from urllib.parse import urlsplit, urlunsplit


def without_password(url: str) -> str:
    """The address as messages and reports may show it; a file's name as it is."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no IPv6 address
        return f"{scheme}://***"
    credentials, at, host = parts.netloc.rpartition("@")
    user = credentials.partition(":")[0]
    shown = f"{user}:***@{host}" if at and ":" in credentials else parts.netloc
    return urlunsplit((parts.scheme, shown, parts.path, "***" if parts.query else "", ""))
