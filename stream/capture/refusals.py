"""What it means that a source cannot be opened, in words, and whether trying again may help."""

from __future__ import annotations

import errno

from stream.capture.container import reason
from stream.errors import AddressError, OpenError
from stream.network_errors import meaning_of
from stream.url import is_known_host


def refusal(name: str, error: Exception) -> OpenError:
    """The error to raise for one of FFmpeg's or the system's.

    Args:
        name: The address, without passwords.
        error: Of opening it.
    """
    if "://" not in name:  # a screen
        return OpenError(f"{name} cannot be opened ({reason(error)})")
    if getattr(error, "errno", None) == errno.EIO and not is_known_host(name):
        return AddressError(f"{name}: no machine of that name is known; check it for typing errors")
    words, final = meaning_of(error)
    return (AddressError if final else OpenError)(f"{name}: {words}")
