"""What commands tell people and scripts: the progress line, figures in words, JSON files."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from stream.errors import SinkError
from stream.output.partial import hidden_beside, real_place
from stream.stats import RunStats


class ProgressLine:
    """Frame, frames per second and time left, on one line of standard error that is drawn anew.

    Where the stream is no terminal, a new line every `every_s` seconds. Nothing is drawn from
    another thread, so a run that hangs shows it.

    Args:
        name: Of what is worked on.
        stream: Standard error where none is given.
        every_s: Between plain lines.
        clock: Seconds.
    """

    def __init__(
        self,
        name: str = "",
        stream: TextIO | None = None,
        *,
        every_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = Console(file=stream or sys.stderr, markup=False, highlight=False)
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._every_s = 0.2 if self._live else every_s
        self._clock = clock
        self._next = clock() + (0 if self._live else every_s)
        self._name = name
        self._progress = Progress(
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, max_width=32, overflow="ellipsis"),
            ),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True)),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            expand=True,
            get_time=clock,
        )
        self._task = self._progress.add_task(name, total=None, figures="")

    def __call__(self, stats: RunStats) -> None:
        """Show the run as it stands, if what is shown is old enough."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._every_s
        if not self._live:
            self.note(": ".join(filter(None, (self._name, progress_text(stats)))))
            return
        total = stats.frames_expected and max(stats.frames_expected, stats.frames_out)
        self._progress.update(self._task, total=total, completed=stats.frames_out)
        self.say(progress_text(stats))

    def say(self, text: str) -> None:
        """Show what is being done, at once; on a terminal only."""
        if self._live:
            self._progress.start()
            self._progress.update(self._task, figures=text)
            self._progress.refresh()

    def remark(self, text: str) -> None:
        """Write a line that stays, for somebody who watches: on a terminal only."""
        if self._live:
            self.note(text)

    def note(self, text: str) -> None:
        """Write a line that stays, above this one."""
        self._console.print(text, soft_wrap=True)

    def close(self) -> None:
        """Clear the line."""
        if self._live:
            self._progress.stop()


def progress_text(stats: RunStats) -> str:
    """Such as `frame 120/600   24.0 fps   0:20 left`; the encoder may hold frames at the end."""
    total = str(stats.frames_expected or "")
    count = f"{stats.frames_out:{len(total)}}/{total}" if total else f"{stats.frames_out}"
    left = stats.time_left_s
    remaining = "" if left is None else f"   {duration_text(left)} left" if left else "   finishing"
    return f"frame {count}   {stats.fps:.1f} fps{remaining}"


def duration_text(seconds: float) -> str:
    """Such as `0:20` or `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size_text(size: float) -> str:
    """Such as `640 bytes`, `12.3 MB` or `4.20 GB`, in powers of 1000."""
    if size < 1000:
        return f"{size:.0f} bytes"
    power = next((power for power in (1, 2, 3) if size < 999.5 * 1000**power), 4)
    return f"{size / 1000**power:#.3g}".rstrip(".") + f" {'kMGT'[power - 1]}B"


def write_json(path: Path, values: Any) -> None:
    """Write a report, whole or not at all; SinkError if it can't be."""
    write_text(path, json.dumps(values, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all; SinkError if it can't be."""
    with _unfinished(path) as partial:
        partial.write_text(text, encoding="utf-8")
        partial.replace(real_place(path))


def require_writable(*paths: Path | None) -> None:
    """Let a file that is for the end of a run fail now; leaves nothing behind. Raises SinkError."""
    for path in filter(None, paths):
        with _unfinished(path) as partial:
            partial.touch()


def make_folder(folder: Path) -> None:
    """Make a folder for results, unless it is there; SinkError if it can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} can't be made: {error.strerror}") from error


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Where to write a file before it gets its name; nothing is left there."""
    if path.exists() and not path.is_file():
        raise SinkError(f"{path} can't be written: it is a folder or device; name a file")
    partial = hidden_beside(path, ".part")
    try:
        yield partial
    except OSError as error:
        raise SinkError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()
