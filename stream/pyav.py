"""What differs between the versions of PyAV that we work with, 18.1 and 19; nothing else does it.

- Tags that are not UTF-8 keep their bytes, on reading and on writing: 19 does so by itself, and has
  no ``metadata_errors`` any more (PyAV#2386), with which 18 must be told.
- Time bases, rates and pixel shapes are fractions, and 0 where they are not set: 18 has None there,
  and 19 numbers of its own that round to 32 bits in arithmetic among themselves (PyAV#2382).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, Protocol

import av
from av.container import InputContainer, OutputContainer

_KEEPING_TAGS: Any = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)


class Ratio(Protocol):
    """A rational number of either version of PyAV."""

    @property
    def numerator(self) -> int:
        """Of its lowest terms."""

    @property
    def denominator(self) -> int:
        """Of its lowest terms."""


def exact(ratio: Ratio | None) -> Fraction:
    """A time base, rate or pixel shape of PyAV's as a fraction; 0 where it is not set."""
    return Fraction(ratio.numerator, ratio.denominator) if ratio else Fraction(0)


def open_input(
    place: Any,
    *,
    format_name: str | None = None,
    options: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> InputContainer:
    """Open what FFmpeg can read; raises what `av.open` does.

    Args:
        place: A file's name, an address, or a file object.
        format_name: FFmpeg's demuxer or device; None lets it find out.
        options: FFmpeg's, for the demuxer, the device and the protocol.
        timeout_s: Of opening, and of each read; None waits for ever.
    """
    container: InputContainer = av.open(
        place,
        mode="r",
        format=format_name,
        options=dict(options or {}),
        timeout=timeout_s,
        **_KEEPING_TAGS,
    )
    return container


def open_output(
    place: Any,
    *,
    format_name: str | None = None,
    options: Mapping[str, str] | None = None,
    io_open: Callable[..., Any] | None = None,
) -> OutputContainer:
    """Open a muxer; raises what `av.open` does.

    Args:
        place: A file's name, an address, or a file object.
        format_name: FFmpeg's muxer; None goes by the name.
        options: FFmpeg's, for the muxer and the protocol.
        io_open: What opens further files for it.
    """
    container: OutputContainer = av.open(
        place,
        mode="w",
        format=format_name,
        options=dict(options or {}),
        io_open=io_open,
        **_KEEPING_TAGS,
    )
    return container


_LOG = threading.Lock()


@contextlib.contextmanager
def talkative() -> Iterator[None]:
    """Let FFmpeg's log tell everything meanwhile; what PyAV does not hand out is read there."""
    with _LOG:
        before = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            yield
        finally:
            av.logging.set_level(before)
