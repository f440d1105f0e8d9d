"""A receiver on the network that may be absent for a while. Knows nothing of what it is sent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from stream.errors import ReceiverError, SinkError
from stream.frame import Frame, StreamInfo
from stream.patience import Patience
from stream.stages import Sink

SLOW_S = 0.5
"""An attempt that fails later than this waited for somebody who does not answer."""


class ReconnectingSink:
    """Hands frames to one receiver across any number of connections.

    Frames that come while there is none are counted and lost; an attempt to connect is made when
    a frame comes and its time has come too.

    Args:
        make: Makes the sink of one connection.
        name: As messages show it.
        ask: Raises SinkError where nobody answers at all; asked before a further attempt where the
            last one was slow to fail, for attempts may hold up the whole program.
        patience: How to wait.
        on_message: Told what a person should know: absent, lost, there again.
        clock: Seconds.
    """

    def __init__(
        self,
        make: Callable[[], Sink],
        name: str,
        patience: Patience | None = None,
        *,
        ask: Callable[[], None] = lambda: None,
        on_message: Callable[[str], None] = lambda message: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.reconnects = self.frames_missed = 0
        self._make = make
        self._name = name
        self._patience = patience or Patience()
        self._ask = ask
        self._say = on_message
        self._clock = clock
        self._info: StreamInfo | None = None
        self._sink: Sink | None = None
        self._error: SinkError | None = None  # why there is no connection
        self._met = self._slow = False  # there has been one; the last attempt was slow
        self._away_s = self._next_s = 0.0
        self._delays: Iterator[float] = iter(())

    def open(self, info: StreamInfo) -> None:
        """Connect; an attempt that fails is repeated while frames come, where it may be.

        Raises:
            SinkError: Nobody answers, and no patience is asked for, or it would not help.
        """
        self._info = info
        try:
            self._sink = self._connected(info)
        except ReceiverError:
            raise
        except SinkError as error:
            if not self._patience.wait_s:
                raise
            self._say(f"{error}; trying again for {self._patience.wait_s:g} s")
            self._leave(error)

    def write(self, frame: Frame) -> None:
        """Send one frame, or miss it.

        Raises:
            SinkError: There was no connection for too long.
        """
        if self._sink is None:
            self._try_again()
        if self._sink is None:
            self.frames_missed += 1
            return
        try:
            self._sink.write(frame)
        except SinkError as error:
            self.frames_missed += 1
            self._sink.abort()
            self._say(f"{error}; connecting again")
            self._leave(error)

    def finish(self) -> None:
        """Send the rest and close.

        Raises:
            SinkError: There is no connection, or it breaks now.
        """
        if self._sink is None and self._error is not None:
            raise self._error
        if self._sink is not None:
            self._sink.finish()

    def abort(self) -> None:
        """Close."""
        if self._sink is not None:
            self._sink.abort()

    def _leave(self, error: SinkError) -> None:
        self._sink, self._error = None, error
        self._away_s = self._clock()
        self._delays = self._patience.delays()
        self._next_s = self._away_s + next(self._delays)

    def _try_again(self) -> None:
        if self._info is None:
            raise RuntimeError("a ReconnectingSink is written to between open() and finish()")
        if self._clock() < self._next_s:
            return
        try:
            self._sink = self._connected(self._info)
        except SinkError as error:
            patience = self._patience
            limit_s = patience.give_up_s if self._met else patience.wait_s
            if isinstance(error, ReceiverError) and not self._met:
                raise
            if self._clock() - self._away_s >= limit_s:
                raise SinkError(f"no connection for {limit_s:g} s ({error})") from error
            self._error = error
            self._next_s = self._clock() + next(self._delays)
            return
        again = " again" if self.reconnects else ""
        self._say(f"{self._name}: there{again} after {self._clock() - self._away_s:.1f} s")

    def _connected(self, info: StreamInfo) -> Sink:
        if self._slow:
            self._ask()
        sink, began = self._make(), self._clock()
        try:
            sink.open(info)
        except BaseException:
            self._slow = self._clock() - began > SLOW_S
            with contextlib.suppress(SinkError):
                sink.abort()
            raise
        self.reconnects += self._met
        self._met, self._error = True, None
        return sink
