"""Segments cleaned side by side on this machine, each by a processor of its own.

Two processors on one core each need not wait for each other at every layer of the network, as the
threads of one do: docs/lab/performance.md has the gain. Every worker reads the whole video and
passes over what others clean, so that nothing depends on how well the file can be searched;
docs/lab/decisions.md has the cost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from stream.frame import Frame, StreamInfo
from stream.jobs.journal import Segment
from stream.jobs.plan import Plan
from stream.jobs.reader import Reader
from stream.jobs.remaining import unfinished
from stream.jobs.segment import clean_segment
from stream.stages import Processor
from stream.stats import RunStats


class _Written(NamedTuple):
    """A frame more of a segment: its number, and its counts so far."""

    number: int
    stats: RunStats


class _Finished(NamedTuple):
    """A segment is whole."""

    number: int
    segment: Segment
    stats: RunStats


class Shift:
    """What the workers of one job share.

    Args:
        plan: Of the video.
        open_reader: Opens it, at its beginning.
        finished: Segments that are not to be done.
        folder: Where the others appear.
        shown_as: How errors name the video in the making.

    Attributes:
        events: Of all workers; the last of each is an error or None.
        stop: Set when no frame more is wanted.
    """

    def __init__(
        self,
        plan: Plan,
        open_reader: Callable[[], Reader],
        finished: Iterable[Segment],
        folder: Path,
        shown_as: Path,
    ) -> None:
        self.events: SimpleQueue[_Written | _Finished | BaseException | None] = SimpleQueue()
        self.stop = threading.Event()
        self.plan = plan
        self._open_reader = open_reader
        self._finished = {segment.name: segment for segment in finished}
        self._folder = folder
        self._shown_as = shown_as
        self._claimed: set[int] = set()
        self._lock = threading.Lock()

    def work(self, processor: Processor) -> None:
        """Clean one segment after the other that nobody else does."""
        try:
            stoppable = _Stoppable(processor, self.stop)
            with closing(self._open_reader()) as reader:
                for index in unfinished(self.plan, reader, self._finished.get, self._claim):
                    made = clean_segment(
                        self.plan,
                        reader,
                        stoppable,
                        self._folder,
                        shown_as=self._shown_as,
                        on_progress=partial(self._tell, index),
                    )
                    self.events.put(_Finished(index, *made))
            self.events.put(None)
        except BaseException as error:
            self.events.put(error)

    def _claim(self, index: int) -> bool:
        if self.stop.is_set():
            raise _Stopped
        with self._lock:
            free = index not in self._claimed
            self._claimed.add(index)
        return free

    def _tell(self, index: int, stats: RunStats) -> None:
        self.events.put(_Written(index, stats))


@dataclass(frozen=True, slots=True)
class Crew:
    """Processors for one segment each at the same time, alike to the bit; at least one."""

    processors: Sequence[Processor]

    def clean(
        self, shift: Shift, on_progress: Callable[[RunStats], None]
    ) -> Generator[tuple[Segment, RunStats], None, None]:
        """Clean the segments that are to be done; gives them as they are finished.

        Their durations add up to the time that has passed since all were warmed up.

        Args:
            shift: Of this job.
            on_progress: Called after each frame of any segment, on this thread, with the counts of
                all that are in work.

        Raises:
            DeblurError: In one line what failed first; all workers have ended.
        """
        at_work = self.processors[: shift.plan.segments_estimate]
        _warm_up(at_work, shift.plan.info)
        threads = [
            threading.Thread(target=shift.work, args=(processor,), name=f"worker {index}")
            for index, processor in enumerate(at_work)
        ]
        in_work: dict[int, RunStats] = {}
        running, began = len(threads), time.perf_counter()
        try:
            for thread in threads:
                thread.start()
            while running:
                event = shift.events.get()
                now = time.perf_counter()
                if event is None:
                    running -= 1
                elif isinstance(event, BaseException):
                    raise event
                elif isinstance(event, _Written):
                    in_work[event.number] = event.stats
                    on_progress(_together(in_work.values(), now - began))
                else:
                    in_work.pop(event.number, None)
                    event.stats.duration_s, began = now - began, now
                    yield event.segment, event.stats
        finally:
            shift.stop.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()


def _warm_up(processors: Sequence[Processor], info: StreamInfo) -> None:
    first, *others = processors
    first.start(info)  # libraries are imported by one thread alone
    with ThreadPoolExecutor(len(processors)) as pool:
        for _ in pool.map(lambda processor: processor.start(info), others):
            pass


class _Stopped(Exception):  # noqa: N818 - not an error
    """Nobody wants more."""


class _Stoppable:
    """A processor that gives up between two frames."""

    def __init__(self, processor: Processor, stop: threading.Event) -> None:
        self.start = processor.start
        self.flush = processor.flush
        self.close = processor.close
        self._processor = processor
        self._stop = stop

    def process(self, frame: Frame) -> Sequence[Frame]:
        """As the processor does."""
        if self._stop.is_set():
            raise _Stopped
        return self._processor.process(frame)


def _together(parts: Iterable[RunStats], duration_s: float) -> RunStats:
    """The counts of segments in work at the same time."""
    total = RunStats(duration_s=duration_s)
    for part in parts:
        total.frames_in += part.frames_in
        total.frames_out += part.frames_out
        total.decode_failures += part.decode_failures
    return total
