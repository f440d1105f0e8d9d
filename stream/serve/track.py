"""The video that goes back to a browser: each frame as it came, and deblurred below it.

One picture holds both, so that the page compares a frame with itself, whatever the network does.
Latest frame wins. Where the engine is late, frames are shown as they came: a picture that lags is
worse than one that is blurred, and one that stands still is worse than either.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any, TypeVar

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from stream.errors import SourceError
from stream.frame import Frame, Plane, Planes
from stream.inference.engine import SIZES_KEPT
from stream.inference.shared import SharedStream
from stream.pixel_format import color_tags, read_planes, write_planes
from stream.pyav import exact
from stream.serve.limits import Limits
from stream.serve.statistics import LiveStats

LATE_S = 0.4
"""From a frame's arrival to its result; above, the picture would run behind what is seen."""

RECOVERED_S = LATE_S / 2
"""The engine is trusted again when a result comes within this time.

Half: a frame waits for at most the one before it, so where every frame takes T, results take T to
2 T. One that takes over `LATE_S / 2` each is late at times and never recovers; nothing flips.
"""

NEW_SIZES = 8
"""Sizes within `SIZES_S` that the engine is made ready for. A browser has a few, when a phone is
turned or the network changes; frames of further ones pass as they came."""

SIZES_S = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Arrival:
    index: int
    at: float
    picture: av.VideoFrame


class DeblurredTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc is not typed for us
    """Reads a camera's track, and is read by the sender. All of it on the event loop.

    Args:
        camera: The track that came in.
        stream: Closed by its owner.
        limits: Of these, `live_pixels` and `idle_s`.
        stats: Written as frames come and go.
        clock: Seconds.
    """

    kind = "video"

    def __init__(
        self,
        camera: MediaStreamTrack,
        stream: SharedStream,
        limits: Limits,
        stats: LiveStats,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self.passing = True  # until the first result: compiling takes seconds
        self.size = (0, 0)
        self.error: BaseException | None = None
        self._camera = camera
        self._stream = stream
        self._limits = limits
        self._stats = stats
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._ready: dict[
            tuple[int, int], None
        ] = {}  # sizes, the one that was used last at the end
        self._made_ready: deque[float] = deque(maxlen=NEW_SIZES)  # when
        self._last = -1  # index of the frame that was taken last
        self._not_asked = 0  # frames since then that the engine was not asked for
        self._incoming: asyncio.Queue[_Arrival] = asyncio.Queue(1)
        self._under_way: dict[int, Frame] = {}  # by index, in order; not yet shown nor dropped
        self._shown = -1
        self._outgoing: asyncio.Queue[tuple[Frame, Frame, str]] = asyncio.Queue(1)

    async def run(self) -> None:
        """Take frames until the camera ends.

        Raises:
            SourceError: None came for too long, or their size is beyond the limits.
            ModelError: The engine has been closed.
        """
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._work())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except MediaStreamError:
            return
        finally:
            for task in tasks:
                task.cancel()
            try:
                await asyncio.wait(tasks)
            finally:  # who hangs up often says so at the same moment: then this is cancelled too
                self._drop_rest()

    async def recv(self) -> av.VideoFrame:
        """The next picture for the sender; waits for it."""
        if self.readyState != "live":
            raise MediaStreamError
        before, after, outcome = await self._outgoing.get()
        self._stats.show(outcome, self._clock() - before.captured_at)
        return stacked(before, after)

    async def _read(self) -> None:
        """Take what comes at once: aiortc's own queue has no bound."""
        for index in count():
            picture = await self._camera.recv()
            self._stats.arrived += 1
            self._put(self._incoming, _Arrival(index, self._clock(), picture))

    async def _work(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    arrival = await self._incoming.get()
            except TimeoutError as error:
                raise SourceError("no frame came for too long") from error
            self._require_allowed(arrival.picture)
            self._take(self._frame(arrival))

    def _put(self, queue: asyncio.Queue[T], item: T) -> None:
        """The newest wins."""
        if queue.full():
            queue.get_nowait()
            self._stats.outcomes["dropped"] += 1
        queue.put_nowait(item)

    def _require_allowed(self, picture: av.VideoFrame) -> None:
        self.size = (picture.width, picture.height)
        if picture.width * picture.height > self._limits.live_pixels:
            self._stats.outcomes["dropped"] += 1
            raise SourceError(
                f"{picture.width}x{picture.height} is more than this server takes live"
            )

    def _engine_takes(self, size: tuple[int, int]) -> bool:
        """Whether the engine is ready for a size, or may be made ready for one more."""
        if size not in self._ready:
            times, now = self._made_ready, self._clock()
            if len(times) == NEW_SIZES and now - times[0] < SIZES_S:
                return False
            times.append(now)
        self._ready.pop(size, None)
        self._ready[size] = None
        if len(self._ready) > SIZES_KEPT:
            del self._ready[next(iter(self._ready))]
        return True

    def _frame(self, arrival: _Arrival) -> Frame:
        picture = arrival.picture
        gap, self._last = arrival.index - self._last - 1, arrival.index
        return Frame(
            planes=read_planes(picture),
            pts=picture.pts or 0,
            time_base=exact(picture.time_base) or Fraction(1, 90_000),
            color=color_tags(picture),
            index=arrival.index,
            captured_at=arrival.at,
            gap=gap,
        )

    def _take(self, frame: Frame) -> None:
        self._under_way[frame.index] = frame
        if not self._engine_takes((frame.width, frame.height)):
            self._not_asked += 1
            self.passing = True
            self._show(frame, frame, "passed")
            return
        frame = frame.replace(gap=frame.gap + self._not_asked)
        self._not_asked = 0
        result = self._stream.submit(frame)
        result.add_done_callback(functools.partial(self._done, frame))
        if self._clock() - next(iter(self._under_way.values())).captured_at > LATE_S:
            self.passing = True
        if self.passing:
            self._show(frame, frame, "passed")

    def _done(self, frame: Frame, result: Future[Frame]) -> None:
        """Called on the inference thread, or on ours where a newer frame replaces this one."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
            self._loop.call_soon_threadsafe(self._finish, frame, result)

    def _finish(self, frame: Frame, result: Future[Frame]) -> None:
        if result.cancelled():
            self._drop(frame)
            return
        self.error = result.exception()
        if self.error is None:
            took_s = self._clock() - frame.captured_at
            self.passing = took_s > (RECOVERED_S if self.passing else LATE_S)
            self._show(frame, result.result(), "deblurred")
        else:
            self.passing = True
            self._show(frame, frame, "passed")

    def _show(self, before: Frame, after: Frame, outcome: str) -> None:
        """Hand a frame to the sender, unless it or a later one was."""
        if before.index <= self._shown:
            self._drop(before)
            return
        self._shown = before.index
        del self._under_way[before.index]
        self._put(self._outgoing, (before, after, outcome))

    def _drop(self, frame: Frame) -> None:
        """Count a frame that will not be shown, unless it was."""
        if self._under_way.pop(frame.index, None):
            self._stats.outcomes["dropped"] += 1

    def _drop_rest(self) -> None:
        self._stats.outcomes["dropped"] += len(self._under_way)
        self._under_way.clear()
        self._shown = self._stats.arrived  # no result is shown any more
        queues: tuple[asyncio.Queue[Any], ...] = (self._incoming, self._outgoing)
        for queue in queues:
            if queue.full():
                queue.get_nowait()
                self._stats.outcomes["dropped"] += 1


def stacked(before: Frame, after: Frame) -> av.VideoFrame:
    """One picture of twice the height: ``before`` above, ``after`` below, an odd height made even.

    Returns:
        A picture with the time of ``before``.
    """
    height = before.height + before.height % 2
    _, down = before.planes.subsampling
    rows = [height, -(-height >> down), -(-height >> down)]
    arrays = tuple(
        np.concatenate([_padded(plane, count) for plane in planes])
        for *planes, count in zip(before.planes.arrays, after.planes.arrays, rows, strict=False)
    )
    picture = write_planes(Planes(arrays, before.planes.subsampling, before.planes.bit_depth))
    picture.pts, picture.time_base = before.pts, before.time_base
    return picture


def _padded(plane: Plane, height: int) -> Plane:
    return plane if len(plane) == height else np.concatenate([plane, plane[-1:]])
