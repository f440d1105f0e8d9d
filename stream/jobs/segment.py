"""One segment of a recorded video: burn-in, pipeline, encoder, and a check of what was written.

Depends on the plan, the segment's pictures, those around it that the processor sees too, and the
processor only, and on no other segment.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from stream.containers import of_muxer
from stream.errors import JobError
from stream.frame import Frame, StreamInfo
from stream.jobs.comparison import Comparison
from stream.jobs.journal import Segment, digest_of
from stream.jobs.plan import LOOK_AHEAD, Plan, shift_in_segments
from stream.jobs.reader import Reader
from stream.jobs.reel import read_times, reorder_depth
from stream.output.file import VideoWriter
from stream.pipeline import Pipeline
from stream.stages import Processor
from stream.stats import RunStats


def clean_segment(
    plan: Plan,
    reader: Reader,
    processor: Processor,
    folder: Path,
    *,
    shown_as: Path,
    on_progress: Callable[[RunStats], None] | None = None,
) -> tuple[Segment, RunStats]:
    """Bring the segment that comes next from ``reader`` through ``processor`` into ``folder``.

    Args:
        plan: Of the whole video.
        reader: Not at its end; left at the next segment.
        processor: Started and closed.
        folder: Where the segment appears, when whole.
        shown_as: How errors name it.
        on_progress: Called after each frame written, with the counts of this segment.

    Returns:
        What was made, and how it went, the frames around the segment not counted.

    Raises:
        DeblurError: In one line what failed; the segment is not there.
        RuntimeError: The reader is at its end.
    """
    start = reader.next_pts
    if start is None:
        raise RuntimeError("there is no segment behind the end")
    index = plan.index_of(start)
    path = folder / plan.file_name(index)
    burn_in, missing_before = reader.last(), reader.frames_missing
    before = tuple(reader.marks())
    told = 0

    def counted(stats: RunStats) -> None:
        nonlocal told
        if on_progress and len(sink.times) > told:  # not of the burn-in, nor of the next frame
            told = len(sink.times)
            on_progress(_without(stats, stats.frames_out - told))

    source = _Piece(reader, burn_in, plan.end_of(index))
    writer = VideoWriter(
        path,
        overwrite=True,
        container=of_muxer(plan.format_name),
        encoding=plan.encoding,
        shown_as=shown_as,
        shift=shift_in_segments(plan.output),
    )
    sink = _Rest(writer, start, plan.end_of(index), plan.output)
    processor = Comparison(processor, plan.view) if plan.view else processor
    stats = Pipeline(source, processor, sink, on_progress=counted).run()
    times = read_times(path)
    if sorted(times) != sink.times:
        raise JobError(
            f"{shown_as}: {plan.encoding.encoder} changed the times of pictures near "
            f"{float(start * plan.info.time_base):.1f} s; choose another --codec"
        )
    stats = _without(stats, stats.frames_out - len(sink.times))
    stats.frames_missing = reader.frames_missing - missing_before
    segment = Segment(
        name=path.name,
        size=path.stat().st_size,
        digest=digest_of(path),
        reorder=reorder_depth(times),
        before=before,
        marks=tuple(reader.marks()),
        next_pts=reader.next_pts,
        end=reader.end,
        frames=stats.frames_out,
    )
    return segment, stats


class _Piece:
    """The source of one segment."""

    def __init__(self, reader: Reader, burn_in: list[Frame], end: int) -> None:
        self._reader = reader
        self._burn_in = burn_in
        self._end = end
        self._failures_before = reader.decode_failures

    @property
    def info(self) -> StreamInfo:
        return self._reader.info

    @property
    def decode_failures(self) -> int:
        return self._reader.decode_failures - self._failures_before

    def frames(self) -> Iterator[Frame]:
        yield from self._burn_in
        yield from self._reader.until(self._end)
        yield from self._reader.coming(LOOK_AHEAD)

    def stop(self) -> None:
        """Nothing to cut short."""

    def close(self) -> None:
        """The reader goes on with the next segment."""


class _Rest:
    """Writes what comes from ``start`` up to ``end``, as ``output`` describes it."""

    def __init__(self, writer: VideoWriter, start: int, end: int, output: StreamInfo) -> None:
        self.times: list[Fraction] = []  # seconds, as written
        self._writer = writer
        self._start = start
        self._end = end
        self._output = output
        self._shift = shift_in_segments(output)
        self._last: int | None = None

    def open(self, info: StreamInfo) -> None:
        self._writer.open(self._output)

    def write(self, frame: Frame) -> None:
        if not self._start <= frame.pts < self._end:
            return
        frame = self._on_clock(frame)
        # joining gives durations anew, and MP4 takes none as long as some pauses
        frame = frame.replace(duration=min(frame.duration, round(1 / frame.time_base)))
        self._last = frame.pts
        self._writer.write(frame)
        self.times.append((frame.pts + self._shift) * frame.time_base)

    def _on_clock(self, frame: Frame) -> Frame:
        clock = self._output.time_base
        if frame.time_base == clock:
            return frame
        ratio = frame.time_base / clock
        pts = round(frame.pts * ratio)
        if self._last is not None:
            pts = max(pts, self._last + 1)
        return frame.replace(pts=pts, time_base=clock, duration=round(frame.duration * ratio))

    def finish(self) -> None:
        self._writer.finish()

    def abort(self) -> None:
        self._writer.abort()


def _without(stats: RunStats, others: int) -> RunStats:
    return dataclasses.replace(
        stats, frames_in=stats.frames_in - others, frames_out=stats.frames_out - others
    )
