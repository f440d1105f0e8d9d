"""Any source at its own pace: a recorded video becomes a camera. Knows time, nothing of pixels."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Protocol

from stream.frame import Frame, StreamInfo
from stream.stages import Source


class Beside(Protocol):
    """What is read beside the frames, in step with them."""

    def read_to(self, shown_s: Fraction) -> None:
        """Read as far as the frame that comes at this moment, in seconds."""

    def close(self) -> None:
        """Let go of it."""


class RealtimeSource:
    """Delivers each frame of another source when its pts is due, as a live source.

    Args:
        source: Read no further ahead than one frame; closed with this one.
        beside: Sound, for example; closed with this one.
        clock: Seconds; stamps ``captured_at``.
        wait: Waits up to so many seconds, and says whether to stop; an event's own by default.
    """

    def __init__(
        self,
        source: Source,
        *,
        beside: Beside | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._source = source
        self._beside = beside
        self._clock = clock
        self._stopped = threading.Event()
        self._wait = wait or self._stopped.wait
        self.info: StreamInfo = dataclasses.replace(source.info, live=True)

    @property
    def decode_failures(self) -> int:
        """Of the source."""
        return self._source.decode_failures

    def frames(self) -> Iterator[Frame]:
        """The source's frames; where it is too slow, they come late, and none is left out."""
        began = first = None
        for frame in self._source.frames():
            if began is None or first is None:
                began, first = self._clock(), frame.pts
            if self._beside:
                self._beside.read_to(frame.pts * frame.time_base)
            due = began + float((frame.pts - first) * frame.time_base)
            if self._wait(max(0.0, due - self._clock())):
                return
            yield frame.replace(captured_at=self._clock())

    def stop(self) -> None:
        """Wait no longer."""
        self._stopped.set()
        self._source.stop()

    def close(self) -> None:
        """Close the source, and what is read beside it."""
        self._source.close()
        if self._beside:
            self._beside.close()
