"""One stream into several outputs, none of which can hold up another.

Each output runs on a thread of its own behind a channel of its own, where the latest frame wins;
one alone may stay on the caller's thread, as a window must. An output that fails is let go, and
the others go on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from stream.channel import Channel, ChannelAborted
from stream.errors import SinkError
from stream.frame import Frame, StreamInfo
from stream.stages import Sink

CAPACITY = 8
"""Frames that wait for a slow output: a quarter of a second, for writes that come in bursts."""


class Tee:
    """Hands every frame to all outputs.

    Args:
        here: The output that stays on the caller's thread, or None.
        others: Names and outputs, each for a thread of its own.
        complete: Drop no frame where an output is slow: all wait for it.
        on_message: Told once of each output that fails; from that output's thread.
    """

    def __init__(
        self,
        here: Sink | None,
        others: Sequence[tuple[str, Sink]],
        *,
        complete: bool = False,
        on_message: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._here = here
        self._branches = [_Branch(name, sink, complete, on_message) for name, sink in others]

    def open(self, info: StreamInfo) -> None:
        """Open all outputs at once; each waits no longer than its own time-out.

        Raises:
            SinkError: One of them cannot be opened.
        """
        for branch in self._branches:
            branch.begin(info)
        if self._here:
            self._here.open(info)
        errors = [branch.opening_error() for branch in self._branches]
        for error in filter(None, errors):
            raise error

    def write(self, frame: Frame) -> None:
        """Hand one frame to each; waits for the one on this thread alone.

        Raises:
            SinkError: There is no output left.
        """
        if self._here:
            self._here.write(frame)
        for branch in self._branches:
            branch.put(frame)
        if not self._here and self._branches and all(b.error for b in self._branches):
            raise SinkError("no output is left")

    def finish(self) -> None:
        """Let each output write what it still has, and complete it."""
        for branch in self._branches:
            branch.frames.close()
        for branch in self._branches:
            branch.join()
        if self._here:
            self._here.finish()

    def abort(self) -> None:
        """Stop all of them now."""
        for branch in self._branches:
            branch.frames.abort()
        for branch in self._branches:
            branch.join()
        if self._here:
            self._here.abort()

    @property
    def failed(self) -> bool:
        """Whether any output on a thread of its own has failed."""
        return any(branch.error for branch in self._branches)

    def report(self) -> list[dict[str, Any]]:
        """JSON-ready, of the outputs with threads of their own."""
        return [branch.report() for branch in self._branches]


class _Branch:
    """One output, its thread and its channel."""

    def __init__(
        self, name: str, sink: Sink, complete: bool, on_message: Callable[[str], None]
    ) -> None:
        self.error: Exception | None = None
        self.frames = Channel[Frame](CAPACITY, latest=not complete)
        self._name = name
        self._sink = sink
        self._say = on_message
        self._written = 0
        self._opened = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, info: StreamInfo) -> None:
        self._thread = threading.Thread(target=self._run, args=(info,), name=f"to {self._name}")
        self._thread.start()

    def opening_error(self) -> Exception | None:
        self._opened.wait()
        return self.error

    def put(self, frame: Frame) -> None:
        if self.error is None:
            with contextlib.suppress(ChannelAborted):  # it has just failed
                self.frames.put(frame)

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def report(self) -> dict[str, Any]:
        missed = getattr(self._sink, "frames_missed", 0)
        return {
            "name": self._name,
            "frames_written": self._written - missed,
            "frames_dropped": self.frames.dropped_count + missed,
            "reconnects": getattr(self._sink, "reconnects", 0),
            "error": str(self.error) if self.error else None,
        }

    def _run(self, info: StreamInfo) -> None:
        try:
            self._sink.open(info)
            self._opened.set()
            for frame, _ in self.frames:
                self._sink.write(frame)
                self._written += 1
            self._sink.finish()
        except ChannelAborted:
            self._sink.abort()
        except Exception as error:
            was_open = self._opened.is_set()
            self.error = error
            self.frames.abort()
            self._sink.abort()
            if was_open:  # otherwise the run fails to start, which is said elsewhere
                self._say(f"{self._name} has failed, the rest goes on: {error}")
        finally:
            self._opened.set()
