"""What to say of an error in one line, foreseen or not."""

from __future__ import annotations

import os
from traceback import extract_tb

from models.errors import is_out_of_memory
from stream.errors import DeblurError


def in_one_line(error: BaseException, about: object = None) -> str:
    """Return an error's words, without line breaks.

    Args:
        error: Ours have words of their own; of others it is told what and where they are.
        about: What the error came from, if several things may fail; ours name it themselves.
    """
    if isinstance(error, DeblurError):
        return " ".join(str(error).split())
    place = "" if about is None else f"{about}: "
    return " ".join(f"{place}{_unforeseen(error)}".split())


def _unforeseen(error: BaseException) -> str:
    """What to say of an error that nobody has put into words."""
    if is_out_of_memory(error):
        return (
            f"out of memory ({_first_line(error)}): close other programs, or ask for less at once"
        )
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    place = extract_tb(error.__traceback__)[-1]
    file = place.filename.rpartition(os.sep)[2]
    return (
        f"{_first_line(error)} ({file}, line {place.lineno}): this was not foreseen; run it again "
        "with --debug and report what that shows"
    )


def _first_line(error: BaseException) -> str:
    words = next(iter(str(error).strip().splitlines()), "")[:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
