"""A live source that comes back: time-outs end a connection, patience makes a new one.

Owns one connection at a time; whether to a network or to a camera, it does not know.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from stream.capture.splice import Splice
from stream.errors import SourceError
from stream.frame import Discontinuity, Frame, Planes, StreamInfo
from stream.pixel_format import converted, format_of


class Connection(Protocol):
    """One connection to a live source, open from its making on; used on one thread."""

    info: StreamInfo
    """What it delivers; ``duration_s`` says that it is recorded, and ends."""

    decode_failures: int
    """Pictures that could not be decoded so far; they are missing."""

    def pictures(self) -> Iterator[tuple[Planes, int | None]]:
        """Each picture with its pts in units of ``info.time_base``, as soon as it is there.

        Raises:
            SourceError: The connection is lost, or nothing has come for too long.
        """

    def close(self) -> None:
        """Let go of it; may be called twice."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait for a source that went away.

    Attributes:
        first_s: Before the first attempt; each further wait is twice as long,
        longest_s: up to this.
        give_up_s: Without a connection for so long, the source counts as lost.
    """

    first_s: float = 0.5
    longest_s: float = 8.0
    give_up_s: float = 300.0


class ReconnectingSource:
    """Frames of one live source across any number of connections.

    A picture of another size or format than the first connection's is scaled to that.

    Args:
        connect: Makes a connection whose first picture is there, or raises SourceError.
        patience: How to wait.
        on_message: Told what a person should know: lost, found again.
        clock: Seconds; stamps ``captured_at``.
        wait: Waits so many seconds, and says whether to stop; an event's own by default.

    Raises:
        OpenError: The first connection cannot be made; that is not tried again.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        patience: Patience | None = None,
        *,
        on_message: Callable[[str], None] = lambda message: None,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.reconnects = 0
        self._connect = connect
        self._patience = patience or Patience()
        self._say = on_message
        self._clock = clock
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._failures_before = 0
        self._index = 0
        self._connection = connect()
        self.info = dataclasses.replace(self._connection.info, live=True)
        self._splice = Splice(self.info.time_base)

    @property
    def decode_failures(self) -> int:
        """Over all connections."""
        return self._failures_before + self._connection.decode_failures

    def frames(self) -> Iterator[Frame]:
        """Every picture that comes, until the source is given up; see `stream.stages.Source`.

        Raises:
            SourceError: Nothing could be reached for too long.
        """
        reason: Discontinuity | None = Discontinuity.START
        while True:
            lost = "the sender has ended it"
            try:
                for planes, pts in self._connection.pictures():
                    yield self._frame(planes, pts, reason)
                    reason = None
                if self.info.duration_s is not None:
                    return
            except SourceError as error:
                if self.info.duration_s is not None:
                    raise
                lost = str(error)
            if not self._reconnected(lost):
                return
            reason = Discontinuity.RECONNECT

    def stop(self) -> None:
        """Wait for no connection any more."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _frame(self, planes: Planes, pts: int | None, reason: Discontinuity | None) -> Frame:
        now, info = self._clock(), self.info
        color, time_base = self._connection.info.color, self._connection.info.time_base
        placed, jump = self._splice.place(pts, time_base, now)
        if (planes.width, planes.height, format_of(planes)) != (
            (info.width, info.height, info.pixel_format)
        ):
            planes = converted(planes, info.width, info.height, info.pixel_format)
        frame = Frame(
            planes=planes,
            pts=placed,
            time_base=info.time_base,
            color=color,
            index=self._index,
            captured_at=now,
            discontinuity=reason or jump,
        )
        self._index += 1
        return frame

    def _reconnected(self, lost: str) -> bool:
        """Connect again, however often it takes; False where told to stop."""
        self._failures_before += self._connection.decode_failures
        self._connection.close()
        self._connection = _Nothing(self.info)
        patience, began = self._patience, self._clock()
        self._say(f"{self.info.name}: {lost}; connecting again")
        delay = patience.first_s
        while not self._wait(delay):
            try:
                self._connection = self._connect()
            except SourceError as error:
                if self._clock() - began >= patience.give_up_s:
                    raise SourceError(
                        f"{self.info.name}: no connection for {patience.give_up_s:.0f} s ({error})"
                    ) from error
                delay = min(2 * delay, patience.longest_s)
                continue
            self.reconnects += 1
            self._splice.begin()
            self._say(f"{self.info.name}: there again after {self._clock() - began:.1f} s")
            return True
        return False


@dataclass(slots=True)
class _Nothing:
    """Between two connections."""

    info: StreamInfo
    decode_failures: int = 0

    def pictures(self) -> Iterator[tuple[Planes, int | None]]:
        return iter(())

    def close(self) -> None:
        pass


MICROSECONDS = Fraction(1, 1_000_000)
"""The time base of sources that have no clock of their own."""
