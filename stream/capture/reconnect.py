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

from stream.capture.clock import JUMP_S, LiveClock, Slot
from stream.capture.connection import Arrival, Connection
from stream.errors import AddressError, OpenError, SourceError
from stream.fit import fitted
from stream.frame import Discontinuity, Frame, Planes, StreamInfo
from stream.patience import Patience
from stream.pixel_format import format_of
from stream.sound import SoundFormat, SoundTrack

_SHORT_S, _SHORT = 2.0, 0.05  # by so much a recorded video may miss the length that it declares
_AHEAD_S = 2 * JUMP_S  # sound is not farther ahead of the frames that it comes with


class ReconnectingSource:
    """Frames of one live source across any number of connections.

    A picture of another size than the first one is fitted into that, with bars.

    Args:
        connect: Makes a connection whose first picture is there, or raises SourceError.
        patience: How to wait.
        paced: Hold pictures that come in bursts until each is due, for somebody who watches.
        sound: Is given the sound, in the time of the frames' pts; None where nobody takes it.
        on_message: Told what a person should know: lost, found again, another size.
        clock: Seconds; stamps ``captured_at``.
        wait: Waits so many seconds, and says whether to stop; an event's own by default.

    Raises:
        OpenError: The first connection cannot be made, within ``patience.wait_s``.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        patience: Patience | None = None,
        *,
        paced: bool = True,
        sound: SoundTrack | None = None,
        on_message: Callable[[str], None] = lambda message: None,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.reconnects = self.size_changes = 0
        self._connect = connect
        self._patience = patience or Patience()
        self._paced = paced
        self._sound = sound
        self._say = on_message
        self._clock = clock
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self._failures_before = 0
        self._index = 0
        self._connection = self._first_connection()
        self.info = dataclasses.replace(self._connection.info, live=True)
        self._size = (self.info.width, self.info.height)
        self._timing = LiveClock(self.info.time_base)
        self._shown_s = Fraction(0)  # by the source's clock
        self._jump: tuple[Fraction, Fraction] | None = None  # from where to where it jumped
        self._begin()

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
        paced = self._paced and self.info.duration_s is None  # else `RealtimeSource` does it
        while True:
            lost = "the sender has ended it"
            try:
                for arrival in self._connection.pictures():
                    frame, due_s = self._frame(arrival, reason)
                    early_s = due_s - self._clock()
                    if paced and early_s > 0 and self._wait(early_s):
                        return
                    yield frame.replace(captured_at=self._clock())
                    reason = None
                if self.info.duration_s is not None:
                    self._tell_if_short(self.info.duration_s)
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

    def _first_connection(self) -> Connection:
        patience, began = self._patience, self._clock()
        for tries, delay_s in enumerate(patience.delays()):
            try:
                return self._connect()
            except AddressError:
                raise
            except SourceError as error:
                left_s = began + patience.wait_s - self._clock()
                if left_s <= 0:
                    raise
                if not tries:
                    self._say(f"{error}; trying again for {patience.wait_s:g} s")
            if self._wait(min(delay_s, left_s)):
                break
        raise OpenError("stopped before there was a connection")

    def _frame(self, arrival: Arrival, reason: Discontinuity | None) -> tuple[Frame, float]:
        """The frame, and when it is due."""
        info = self._connection.info
        slot = self._timing.place(arrival.pts, info.time_base, arrival.arrived_s)
        frame = Frame(
            planes=self._fitted(arrival.planes),
            pts=slot.pts,
            time_base=self.info.time_base,
            color=info.color,
            index=self._index,
            discontinuity=reason or slot.jump,
        )
        self._index += 1
        self._hear(arrival, slot)
        return frame, slot.due_s

    def _begin(self) -> None:
        """Begin with the connection that has just been made."""
        self._timing.begin(self._connection.buffer_s)
        self._jump = None
        if self._sound is not None:
            self._sound.format = self._connection.sound

    def _tell_if_short(self, duration_s: float) -> None:
        """A connection that breaks looks like the end to FFmpeg."""
        info = self._connection.info
        played_s = float(self._shown_s - info.start_pts * info.time_base)
        if duration_s - played_s > _SHORT_S + _SHORT * duration_s:
            self._say(
                f"{info.name}: ended after {played_s:.1f} of {duration_s:.1f} s; the connection "
                "may have been lost"
            )

    def _hear(self, arrival: Arrival, slot: Slot) -> None:
        """Put the sound where the frames beside it are.

        Where the source's clock jumped, sound of the clock from before may still follow.
        """
        if arrival.pts is None:
            return
        before_s, self._shown_s = self._shown_s, arrival.pts * self._connection.info.time_base
        if self._sound is None:
            return
        if slot.jump:
            self._jump = (before_s, self._shown_s)
        elif self._jump and abs(self._shown_s - self._jump[1]) > JUMP_S:
            self._jump = None
        for packet in arrival.sound:
            ahead_s = packet.start_s - self._shown_s
            late = self._jump and abs(packet.start_s - self._jump[0]) < abs(ahead_s)
            if late or ahead_s > _AHEAD_S:
                self._sound.lose()
                continue
            start_s = self._timing.seconds(packet.start_s)
            self._sound.put(dataclasses.replace(packet, start_s=start_s))

    def _fitted(self, planes: Planes) -> Planes:
        info, size = self.info, (planes.width, planes.height)
        if size != self._size:
            self._size = size
            self.size_changes += 1
            if size == (info.width, info.height):
                self._say(f"{info.name}: pictures are {size[0]}x{size[1]} again")
            else:
                self._say(
                    f"{info.name}: pictures are {size[0]}x{size[1]} now, shown with bars in "
                    f"{info.width}x{info.height}"
                )
        if (*size, format_of(planes)) == (info.width, info.height, info.pixel_format):
            return planes
        color = self._connection.info.color
        return fitted(planes, color, info.width, info.height, info.pixel_format)

    def _reconnected(self, lost: str) -> bool:
        """Connect again, however often it takes; False where told to stop."""
        self._failures_before += self._connection.decode_failures
        self._connection.close()
        self._connection = _Nothing(self.info)
        patience, began = self._patience, self._clock()
        self._say(f"{self.info.name}: {lost}; connecting again")
        for delay_s in patience.delays():
            if self._wait(delay_s):
                break
            try:
                self._connection = self._connect()
            except SourceError as error:
                if self._clock() - began >= patience.give_up_s:
                    raise SourceError(
                        f"{self.info.name}: no connection for {patience.give_up_s:.0f} s ({error})"
                    ) from error
                continue
            self.reconnects += 1
            self._begin()
            self._say(f"{self.info.name}: there again after {self._clock() - began:.1f} s")
            return True
        return False


@dataclass(slots=True)
class _Nothing:
    """Between two connections."""

    info: StreamInfo
    decode_failures: int = 0
    buffer_s: float = 0.0
    sound: SoundFormat | None = None

    def pictures(self) -> Iterator[Arrival]:
        return iter(())

    def close(self) -> None:
        pass
