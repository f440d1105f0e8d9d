"""Whether segments continue each other: a search in a file is believed only where they do.

Each segment knows the last pictures before it and the last up to its end, by time, place in the
file and pixels. Those before one are those at the end of the one before, or one of the two shows
something else than it should.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from stream.jobs.journal import Segment
from stream.jobs.plan import Plan
from stream.jobs.reader import Mark


def fits(plan: Plan, segment: Segment, finished: Sequence[Segment]) -> bool:
    """Whether a segment continues what is finished, as far as its neighbours are.

    Args:
        plan: Of the segments.
        segment: One of ``finished``.
        finished: In order of time.
    """
    return all(
        later.before == earlier.marks
        for earlier, later in pairwise(finished)
        if segment in (earlier, later)
        and earlier.next_pts is not None
        and later.name == plan.file_name(plan.index_of(earlier.next_pts))
    )


def strays(finished: Sequence[Segment], before: Sequence[Mark]) -> list[Segment]:
    """Those that are not known to be what they should be.

    Args:
        finished: All segments of a job, in order of time.
        before: Of the pictures before the first segment.
    """
    known, expected = 0, tuple(before)
    for segment in finished:
        if segment.before != expected:
            break
        known, expected = known + 1, segment.marks
    return list(finished[known:])
