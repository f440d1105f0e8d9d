"""What cleans the segments of a recorded video: one protocol for this machine and for many."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from stream.jobs.excerpt import TimeRange
from stream.jobs.journal import Identity, Journal, Segment
from stream.jobs.plan import Plan
from stream.jobs.reader import Reader
from stream.stats import RunStats


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for all segments of a video. Paths hold on every machine.

    Attributes:
        source: The video.
        target: How errors name the file in the making; its suffix names the container.
        folder: Where segments appear that are made on this machine.
        plan: Of the segments.
        window: The part of the video that is wanted.
        identity: By which unfinished work is known again.
        searched: Whether a search in the video may be tried, whose outcome is checked when the
            segments before and after are there.
    """

    source: Path
    target: Path
    folder: Path
    plan: Plan
    window: TimeRange
    identity: Identity
    searched: bool = True

    def open(self) -> Reader:
        """Open the video at the first picture that is wanted; raises OpenError."""
        return Reader(self.source, self.plan.burn_in, self.window)


class Cleaned(NamedTuple):
    """A segment, how it went, and the bytes of its file, None where it is in the job's folder."""

    segment: Segment
    stats: RunStats
    raw: bytes | None = None


@runtime_checkable
class Executor(Protocol):
    """Cleans segments, one after the other or many at a time; the bytes are the same."""

    def clean(
        self,
        job: Job,
        reader: Reader,
        journal: Journal,
        on_progress: Callable[[RunStats], None],
    ) -> Generator[Cleaned, None, None]:
        """Clean the segments that are not in ``journal``; give them as they are finished.

        Their durations add up to the time that has passed.

        Args:
            job: Of the video.
            reader: At the first picture that is wanted.
            journal: What is finished; the caller adds what it is given.
            on_progress: Called on this thread with the counts of what is in work, where that is
                known.

        Raises:
            DeblurError: In one line what failed first; nothing works on.
        """
