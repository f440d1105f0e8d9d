"""Addresses on the network, as people may see them."""


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
