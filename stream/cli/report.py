"""What commands tell people and scripts: the progress line and JSON files."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from stream.errors import SinkError
from stream.stats import RunStats


class ProgressLine:
    """Frame, frames per second and time left, on one line of standard error that is written over.

    Where the stream is no terminal, a new line every `every_s` seconds.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        every_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._every_s = 0.2 if self._live else every_s
        self._clock = clock
        self._next = clock() + (0 if self._live else every_s)

    def __call__(self, stats: RunStats) -> None:
        """Show the run as it stands, if the last line is old enough."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._every_s
        text = progress_text(stats)
        self._stream.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def progress_text(stats: RunStats) -> str:
    """Such as `frame 120/600   24.0 fps   0:20 left`."""
    total = f"/{stats.frames_expected}" if stats.frames_expected else ""
    left = stats.time_left_s
    remaining = f"   {duration_text(left)} left" if left is not None else ""
    return f"frame {stats.frames_out}{total}   {stats.fps:.1f} fps{remaining}"


def duration_text(seconds: float) -> str:
    """Such as `0:20` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def write_json(path: Path, values: Any) -> None:
    """Write a report, whole or not at all; SinkError if it can't be."""
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise SinkError(f"{path} can't be written: {error.strerror or error}") from error
