"""A live feed read by a process of its own: `python -m stream.capture.apart SOCKET_NUMBER`.

X11's grabber and OpenCV's windows bring a libxcb each; in one process, whichever is loaded second
dies or hangs (PyAV#1050). That process imports PyAV and never OpenCV.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from stream.capture.connection import Arrival
from stream.capture.feed import Feed, FeedAddress
from stream.errors import OpenError, SourceError
from stream.frame import StreamInfo
from stream.sound import SoundFormat

_START_S = 20.0
"""What importing PyAV may take on a busy machine, beyond the feed's own time-out."""


class FeedApart:
    """What `Feed` gives, read elsewhere; see `stream.capture.connection.Connection`.

    Raises:
        OpenError: There is nothing at this place, or no picture in time.
    """

    def __init__(self, place: FeedAddress) -> None:
        self.decode_failures = 0
        self.sound: SoundFormat | None = None
        self.buffer_s = place.buffer_s
        self._place = place
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": _import_path()},
                start_new_session=True,  # Ctrl-C is for the program that shows the pictures
            )
        self._pipe = Pipe(ours.detach())
        try:
            self._pipe.send(place)
            self.info: StreamInfo = self._first(_START_S + place.timeout_s)
        except BaseException:
            self.close()
            raise

    def pictures(self) -> Iterator[Arrival]:
        """See `stream.capture.connection.Connection`."""
        while True:
            arrival, self.decode_failures = self._next(2 * self._place.timeout_s)
            yield arrival

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()

    def _first(self, timeout_s: float) -> Any:
        try:
            return self._next(timeout_s)
        except OpenError:
            raise
        except SourceError as error:
            raise OpenError(f"{self._place.name}: {error}") from error

    def _next(self, timeout_s: float) -> Any:
        try:
            if not self._pipe.poll(timeout_s):
                raise SourceError(f"nothing came for {timeout_s:g} s")
            given = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise SourceError("the process that reads it has ended") from error
        if isinstance(given, SourceError):
            raise given
        return given


def serve(pipe: Pipe) -> None:
    """Open the feed that is asked for, and send what it gives until nobody takes it any more."""
    try:
        feed = Feed(pipe.recv())
        with contextlib.closing(feed):
            pipe.send(feed.info)
            for arrival in feed.pictures():
                pipe.send((arrival, feed.decode_failures))
    except SourceError as error:
        pipe.send(error)


def _import_path() -> str:
    """Where this process finds its modules; not the current folder, whatever lies in it."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join([here, *filter(None, sys.path)])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(EOFError, OSError), Pipe(int(sys.argv[1])) as pipe:
        serve(pipe)
