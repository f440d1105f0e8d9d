"""Which segments of a job are still to be done. Reads on only where something is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stream.errors import JobError
from stream.jobs.journal import Segment
from stream.jobs.plan import Plan
from stream.jobs.reader import Reader


def unfinished(
    plan: Plan,
    reader: Reader,
    find: Callable[[str], Segment | None],
) -> Iterator[int]:
    """Bring ``reader`` to the beginning of one segment after the other that is to be done.

    What is finished is passed over, wherever it lies. Whoever asks for the next one has read the
    last one to its end.

    Args:
        plan: Of the segments.
        reader: At the beginning of a segment.
        find: Gives the finished segment of a name; may find more of them as time goes on.

    Yields:
        The segment's index.

    Raises:
        JobError: The pictures before a segment are not those that were there.
    """
    while (pts := reader.next_pts) is not None:
        frames, behind = reader.position, None
        while pts is not None and (segment := find(plan.file_name(plan.index_of(pts)))):
            frames += segment.frames
            behind, pts = segment, segment.next_pts
        if pts is None:
            return
        if behind and not reader.go_behind(behind.marks, frames):
            raise JobError(
                f"{reader.info.name} no longer gives the pictures it gave; use --no-resume to "
                "start afresh"
            )
        yield plan.index_of(pts)
