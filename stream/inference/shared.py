"""One deblurrer for many streams: one thread, the newest frame of each, one batch for each size.

Live streams and recorded ones take turns, so that neither starves: all live streams together, then
one frame of one recorded stream. A live frame that nobody has begun with gives way to a newer one;
a recorded one never does. Knows no network and no file.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from stream.errors import ModelError
from stream.frame import Frame

_log = logging.getLogger(__name__)

T = TypeVar("T")


class BatchProcessor(Protocol):
    """What is shared; `stream.inference.deblurrer.Deblurrer` is one. Used from one thread."""

    def process_batch(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Deblur the next frame of each of several streams, told apart by ``stream_id``."""

    def forget(self, stream_id: int) -> None:
        """Let go of what a stream has left behind."""

    def close(self) -> None:
        """Let go of everything."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    result: Future[Any]

    def cancel(self) -> None:
        """Tell those who wait, too."""
        self.result.cancel()
        self.result.set_running_or_notify_cancel()

    def fail(self, error: Exception) -> None:
        """Tell those who wait why there will be no result, unless they know better already."""
        with contextlib.suppress(InvalidStateError):
            self.result.set_exception(error)


@dataclass(slots=True)
class _Request(_Waiting):
    frame: Frame


@dataclass(slots=True)
class _Work(_Waiting):
    do: Callable[[], Any]
    frames: int


class SharedDeblurrer:
    """Runs a deblurrer on a thread of its own for as many streams as are opened.

    Args:
        deblurrer: Used and closed on that thread alone.
        max_batch: Frames that are computed at once, at most.
        clock: Seconds, for `busy_s`.

    Attributes:
        batches: Calls of the deblurrer so far.
        frames: Frames that came out of them.
        busy_s: How long they took together.
    """

    def __init__(
        self,
        deblurrer: BatchProcessor,
        *,
        max_batch: int = 8,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.batches = 0
        self.frames = 0
        self.busy_s = 0.0
        self._deblurrer = deblurrer
        self._max_batch = max_batch
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: dict[SharedStream, _Waiting] = {}  # in the order of their waiting
        self._gone: list[int] = []
        self._opened = 0
        self._live_went_last = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="inference")
        self._thread.start()

    def open(self, *, live: bool) -> SharedStream:
        """A new stream, whose owner closes it."""
        with self._changed:
            self._opened += 1
            return SharedStream(self, self._opened, live=live)

    def close(self) -> None:
        """Finish the batch in hand, fail what waits, and end the thread; may be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def submit(self, stream: SharedStream, frame: Frame) -> Future[Frame]:
        """See `SharedStream.submit`."""
        with self._changed:
            if self._closed:
                raise ModelError("the engine has been closed")
            before = self._waiting.get(stream)
            if before:
                before.cancel()
            if isinstance(before, _Request):
                frame = frame.replace(gap=frame.gap + before.frame.gap + 1)
            request = _Request(frame.replace(stream_id=stream.stream_id), result=Future())
            self._waiting[stream] = request
            self._changed.notify_all()
            return request.result

    def run(self, stream: SharedStream, do: Callable[[], T], frames: int) -> Future[T]:
        """See `SharedStream.run`."""
        with self._changed:
            if self._closed:
                raise ModelError("the engine has been closed")
            if stream in self._waiting:
                raise RuntimeError("one thing after the other")
            work = _Work(do, frames, result=Future())
            self._waiting[stream] = work
            self._changed.notify_all()
            return work.result

    def forget(self, stream: SharedStream) -> None:
        """See `SharedStream.close`."""
        with self._changed:
            if request := self._waiting.pop(stream, None):
                request.cancel()
            self._gone.append(stream.stream_id)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while not self._closed:
                self._take_turn()
        finally:
            self._fail_waiting(ModelError("the engine has been closed"))
            self._deblurrer.close()

    def _take_turn(self) -> None:
        """Do what is to be done next.

        An error outside the guarded call of a batch belongs to no stream: all that wait are told,
        and the next turn is as good as any, because a thread that ended here would leave every
        later request waiting for ever.
        """
        requests, gone = self._take()
        try:
            while gone:
                self._deblurrer.forget(gone.pop())
            for work in requests:
                if isinstance(work, _Work):
                    self._do(work)
            frames = [request for request in requests if isinstance(request, _Request)]
            for batch in _batches(frames, self._max_batch):
                self._compute(batch)
        except BaseException as error:
            _log.exception("the shared engine failed")
            with self._changed:
                self._gone += gone
            words = " ".join(f"{type(error).__name__}: {error}".split())
            failed = ModelError(f"the engine failed ({words})")
            for request in requests:
                request.fail(failed)
            self._fail_waiting(failed)

    def _fail_waiting(self, error: Exception) -> None:
        with self._changed:
            waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            request.fail(error)

    def _take(self) -> tuple[list[_Waiting], list[int]]:
        """What is to be done next; waits until there is something."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._gone or self._closed)
            gone, self._gone = self._gone, []
            if self._closed:
                return [], gone
            live = [stream for stream in self._waiting if stream.live]
            recorded = [stream for stream in self._waiting if not stream.live]
            self._live_went_last = bool(live) and not (recorded and self._live_went_last)
            chosen = live if self._live_went_last else recorded[:1]
            return [self._waiting.pop(stream) for stream in chosen], gone

    def _do(self, work: _Work) -> None:
        if not work.result.set_running_or_notify_cancel():
            return
        began = self._clock()
        try:
            result = work.do()
        except Exception as error:
            work.fail(error)
            return
        self.busy_s += self._clock() - began
        self.batches += 1
        self.frames += work.frames
        work.result.set_result(result)

    def _compute(self, batch: list[_Request]) -> None:
        batch = [request for request in batch if request.result.set_running_or_notify_cancel()]
        if not batch:
            return
        began = self._clock()
        try:
            frames = self._processed(batch)
        except Exception as error:  # the batch's streams learn of it; the others go on
            for request in batch:
                request.fail(error)
            return
        self.busy_s += self._clock() - began
        self.batches += 1
        self.frames += len(batch)
        for request, frame in zip(batch, frames, strict=True):
            request.result.set_result(frame)

    def _processed(self, batch: list[_Request]) -> list[Frame]:
        frames = list(self._deblurrer.process_batch([request.frame for request in batch]))
        if len(frames) != len(batch):
            raise ModelError(f"the engine gave {len(frames)} frames for {len(batch)}")
        return frames


class SharedStream:
    """One stream's way to the shared deblurrer, which `SharedDeblurrer.open` makes."""

    def __init__(self, shared: SharedDeblurrer, stream_id: int, *, live: bool) -> None:
        self.stream_id = stream_id
        self.live = live
        self._shared = shared

    def submit(self, frame: Frame) -> Future[Frame]:
        """Ask for the next frame, deblurred. From any thread; returns at once.

        The result is cancelled where a newer frame comes before its turn; that frame's ``gap``
        counts it. It fails with whatever the deblurrer raised.

        Raises:
            ModelError: The engine has been closed.
        """
        return self._shared.submit(self, frame)

    def run(self, do: Callable[[], T], *, frames: int = 0) -> Future[T]:
        """Call ``do`` on the engine's thread when it is this stream's turn; one at a time.

        For what is more than one frame in and one out. ``frames`` are counted as computed. The
        result is what ``do`` returns or raises.

        Raises:
            ModelError: The engine has been closed.
        """
        return self._shared.run(self, do, frames)

    def close(self) -> None:
        """Leave nothing behind."""
        self._shared.forget(self)


def _batches(requests: Sequence[_Request], limit: int) -> list[list[_Request]]:
    """At most ``limit`` frames of one layout each: an error of one size must not hit others."""
    groups: dict[Hashable, list[_Request]] = {}
    for request in requests:
        frame = request.frame
        layout = (frame.planes.subsampling, frame.planes.bit_depth, frame.color)
        groups.setdefault((frame.width, frame.height, *layout), []).append(request)
    return [
        group[start : start + limit]
        for group in groups.values()
        for start in range(0, len(group), limit)
    ]
