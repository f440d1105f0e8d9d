"""Segments cleaned side by side on this machine, each by a processor of its own.

Two processors on one core each need not wait for each other at every layer of the network, as the
threads of one do: docs/performance.md has the gain. Every worker reads the whole video and passes
over what others clean: a small part of the work, and nothing depends on how well the file can be
searched.
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

from stream.frame import Frame
from stream.jobs.journal import Journal, Segment
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


@dataclass(frozen=True, slots=True)
class Crew:
    """Processors for one segment each at the same time, alike to the bit; at least one."""

    processors: Sequence[Processor]

    def clean(
        self,
        plan: Plan,
        open_reader: Callable[[], Reader],
        journal: Journal,
        folder: Path,
        *,
        shown_as: Path,
        on_progress: Callable[[RunStats], None],
    ) -> Generator[tuple[Segment, RunStats], None, None]:
        """Clean the segments that are not in ``journal``; gives them as they are finished.

        Their durations add up to the time that has passed since all were warmed up.

        Args:
            plan: Of the video.
            open_reader: Opens it, at its beginning.
            journal: Of the job.
            folder: Where the segments appear.
            shown_as: How errors name the video in the making.
            on_progress: Called after each frame of any segment, on this thread, with the counts of
                all that are in work.

        Raises:
            DeblurError: In one line what failed first; all workers have ended.
        """
        first, *others = self.processors
        first.start(plan.info)  # libraries are imported by one thread alone
        with ThreadPoolExecutor(len(self.processors)) as pool:
            for _ in pool.map(lambda processor: processor.start(plan.info), others):
                pass
        shift = _Shift(plan, open_reader, journal, folder, shown_as)
        threads = [
            threading.Thread(target=shift.work, args=(processor,), name=f"worker {index}")
            for index, processor in enumerate(self.processors)
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


class _Shift:
    """What the workers of one job share.

    Attributes:
        events: Of all workers; the last of each is an error or None.
        stop: Set when no frame more is wanted.
    """

    def __init__(
        self,
        plan: Plan,
        open_reader: Callable[[], Reader],
        journal: Journal,
        folder: Path,
        shown_as: Path,
    ) -> None:
        self.events: SimpleQueue[_Written | _Finished | BaseException | None] = SimpleQueue()
        self.stop = threading.Event()
        self._plan = plan
        self._open_reader = open_reader
        self._finished = {segment.name: segment for segment in journal.segments}
        self._folder = folder
        self._shown_as = shown_as
        self._claimed: set[int] = set()
        self._lock = threading.Lock()

    def work(self, processor: Processor) -> None:
        """Clean one segment after the other that nobody else does."""
        try:
            stoppable = _Stoppable(processor, self.stop)
            with closing(self._open_reader()) as reader:
                for index in unfinished(self._plan, reader, self._finished.get, self._claim):
                    made = clean_segment(
                        self._plan,
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
