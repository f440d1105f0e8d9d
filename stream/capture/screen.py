"""The screen of this machine as a source, through whichever grabber FFmpeg was built with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from fractions import Fraction

import av

from stream.capture.apart import FeedApart
from stream.capture.connection import Connection
from stream.capture.feed import Feed, FeedAddress
from stream.errors import OpenError

_GRABBERS = {"linux": "x11grab", "darwin": "avfoundation", "win32": "gdigrab"}


def screens() -> list[tuple[str, str]]:
    """The address and the description of the screen, if it can be grabbed here."""
    grabber = _GRABBERS.get(sys.platform)
    if grabber not in av.formats_available:
        return []
    if grabber != "x11grab":
        return [("screen:", f"the screen ({grabber})")]
    display = os.environ.get("DISPLAY")
    return [("screen:", f"the display {display} ({grabber})")] if display else []


def screen_connector(
    display: str, size: tuple[int, int] | None, rate: Fraction | None, timeout_s: float
) -> Callable[[], Connection]:
    """A function that opens a screen; the arguments and errors are those of `screen_place`."""
    place = screen_place(display, size, rate, timeout_s)
    if place.format_name == "x11grab":
        return lambda: FeedApart(place)
    return lambda: Feed(place)


def screen_place(
    display: str, size: tuple[int, int] | None, rate: Fraction | None, timeout_s: float
) -> FeedAddress:
    """How to open a screen.

    Args:
        display: X11's name, such as ":0.0+100,200" with a corner; on macOS the screen's number;
            empty for the usual one.
        size: Of the part to show; None for the whole.
        rate: Pictures per second; None for 30.
        timeout_s: As in `FeedAddress`.

    Raises:
        OpenError: This machine or this build of FFmpeg has none.
    """
    grabber = _GRABBERS.get(sys.platform)
    if grabber is None or grabber not in av.formats_available:
        raise OpenError(f"screen: this build of FFmpeg has no {grabber or 'grabber'} here")
    if grabber == "x11grab":
        url = display or os.environ.get("DISPLAY", "")
        if not url:
            raise OpenError("screen: no display; set DISPLAY, or name one as in screen::0.0")
    else:
        url = f"Capture screen {display or 0}:none" if grabber == "avfoundation" else "desktop"
    options = {"framerate": str(rate or 30)}
    if size:
        options["video_size"] = f"{size[0]}x{size[1]}"
    return FeedAddress(url, f"screen:{display or url}", grabber, options, timeout_s)
