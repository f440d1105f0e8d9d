"""Segments cleaned on this machine, side by side where there are several processors.

Two processors on one core each need not wait for each other at every layer of the network, as the
threads of one do: docs/lab/performance.md has the gain. A worker searches for the beginning of its
next segment, so that nobody decodes what others have; whether it was found is known by the pictures
around it (`stream.jobs.chain`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple

from stream.frame import Frame, StreamInfo
from stream.jobs.chain import fits
from stream.jobs.executor import Cleaned, Job
from stream.jobs.journal import Journal, Segment
from stream.jobs.reader import Reader
from stream.jobs.remaining import unfinished
from stream.jobs.segment import clean_segment
from stream.stages import Processor
from stream.stats import RunStats


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """Processors for one segment each at the same time, alike to the bit; at least one.

    An `stream.jobs.executor.Executor`.
    """

    processors: Sequence[Processor]

    def clean(
        self,
        job: Job,
        reader: Reader,
        journal: Journal,
        on_progress: Callable[[RunStats], None],
    ) -> Generator[Cleaned, None, None]:
        """See `stream.jobs.executor.Executor`; progress comes after each frame of any segment."""
        at_work = self.processors[: job.plan.segments_estimate]
        if len(at_work) > 1:
            yield from _side_by_side(at_work, job, journal, on_progress)
            return
        for _ in unfinished(job.plan, reader, journal.find):
            yield Cleaned(
                *clean_segment(
                    job.plan,
                    reader,
                    at_work[0],
                    job.folder,
                    shown_as=job.target,
                    on_progress=on_progress,
                )
            )


def _side_by_side(
    processors: Sequence[Processor],
    job: Job,
    journal: Journal,
    on_progress: Callable[[RunStats], None],
) -> Generator[Cleaned, None, None]:
    """Each on a thread of its own; ends early where a search has led elsewhere."""
    _warm_up(processors, job.plan.info)
    shift = _Shift(job, journal.segments)
    threads = [
        threading.Thread(target=shift.work, args=(processor,), name=f"worker {index}")
        for index, processor in enumerate(processors)
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
                yield Cleaned(event.segment, event.stats)
                if not fits(job.plan, event.segment, journal.segments):
                    return
    finally:
        shift.stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


class _Written(NamedTuple):
    """A frame more of a segment: its number, and its counts so far."""

    number: int
    stats: RunStats


class _Finished(NamedTuple):
    """A segment is whole."""

    number: int
    segment: Segment
    stats: RunStats


class _Shift:
    """What the workers of one job share.

    Attributes:
        events: Of all workers; the last of each is an error or None.
        stop: Set when no frame more is wanted.
    """

    def __init__(self, job: Job, finished: Iterable[Segment]) -> None:
        self.events: SimpleQueue[_Written | _Finished | BaseException | None] = SimpleQueue()
        self.stop = threading.Event()
        self._job = job
        self._taken = {segment.name for segment in finished}  # finished, or claimed by a worker
        self._lock = threading.Lock()

    def work(self, processor: Processor) -> None:
        """Clean one segment after the other that nobody else does."""
        try:
            job, stoppable = self._job, _Stoppable(processor, self.stop)
            with closing(job.open()) as reader:
                for index in self._claims(reader):
                    made = clean_segment(
                        job.plan,
                        reader,
                        stoppable,
                        job.folder,
                        shown_as=job.target,
                        on_progress=partial(self._tell, index),
                    )
                    self.events.put(_Finished(index, *made))
            self.events.put(None)
        except BaseException as error:
            self.events.put(error)

    def _claims(self, reader: Reader) -> Iterator[int]:
        """The indices of segments that are the caller's to do, with the reader at each."""
        plan = self._job.plan
        while (pts := reader.next_pts) is not None:
            if self.stop.is_set():
                raise _Stopped
            index = plan.index_of(pts)
            if self._claim(index):
                yield index
                continue
            while self._is_taken(index):
                index += 1
            estimate = plan.segments_estimate
            if not self._job.searched or estimate is None:
                reader.pass_over(plan.start_of(index))
            elif index < estimate:
                reader.skip_to(plan.start_of(index))
            else:
                return  # whoever is at the last one goes on, if there is more

    def _claim(self, index: int) -> bool:
        with self._lock:
            name = self._job.plan.file_name(index)
            free = name not in self._taken
            self._taken.add(name)
        return free

    def _is_taken(self, index: int) -> bool:
        with self._lock:
            return self._job.plan.file_name(index) in self._taken

    def _tell(self, index: int, stats: RunStats) -> None:
        self.events.put(_Written(index, stats))


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
