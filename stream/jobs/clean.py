"""One recorded video from input to output: segment by segment, then the join.

Everything unfinished lies in one hidden folder beside the target. Nothing appears at the target's
name before it is whole. A run that was cut short, however, is taken up behind its last finished
segment, and the outcome has the same bytes as that of a run in one go.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from stream.capture.kinds import require_one_recording
from stream.containers import container_of
from stream.errors import JobError
from stream.frame import StreamInfo
from stream.jobs.chain import strays
from stream.jobs.comparison import View
from stream.jobs.excerpt import Excerpt, TimeRange
from stream.jobs.executor import Cleaned, Executor, Job
from stream.jobs.identity import identity_of
from stream.jobs.join import join
from stream.jobs.journal import Identity, Joined, Segment, file_id
from stream.jobs.pauses import require_distinct, require_short_pauses
from stream.jobs.plan import (
    BURN_IN,
    Plan,
    coarser_clock,
    described,
    make_plan,
    on_clock,
)
from stream.jobs.quality import following
from stream.jobs.reader import Reader
from stream.jobs.steady import steady_rate
from stream.jobs.worker_pool import WorkerPool
from stream.jobs.workspace import Workspace, require_promising
from stream.output.encoder import EncoderOptions, choose_encoding, for_stills
from stream.output.partial import PartialFile, require_free
from stream.output.stills import write_stills
from stream.stages import Processor
from stream.stats import RunStats
from stream.stills import Stills

_FLOATS = re.compile(r"f(16|32)(le|be)$")  # in FFmpeg's names of pixel formats


@dataclass(frozen=True, slots=True)
class CleanOptions:
    """What a user may choose about the output file.

    Attributes:
        encoder: Codec and quality.
        overwrite: Whether the output may be there already.
        resume: Whether to go on with what an earlier run has finished.
        segment_s: Seconds that a segment spans; None leaves it to the video's length.
        excerpt: The part that is wanted.
        view: How to show before and after together; None shows what comes after alone.
        max_pixels: Of a picture, whatever the file's header says; a larger one is an error.
    """

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    overwrite: bool = False
    resume: bool = True
    segment_s: Fraction | None = None
    excerpt: Excerpt = field(default_factory=Excerpt)
    view: View | None = None
    max_pixels: int | None = None


@dataclass(frozen=True, slots=True)
class CleanResult:
    """How it went, and what the user should know about the file."""

    stats: RunStats
    warnings: tuple[str, ...]


def clean_file(
    source: str | Path,
    target: str | Path,
    processor: Processor | Executor,
    options: CleanOptions | None = None,
    on_progress: Callable[[RunStats], None] | None = None,
    *,
    model: str = "",
    on_message: Callable[[str], None] | None = None,
) -> CleanResult:
    """Bring ``source`` through ``processor`` to ``target``, keeping all that is not a pixel.

    Call it from the main thread, so that Ctrl-C ends it cleanly.

    Args:
        source: A video file.
        target: Its suffix names the container.
        processor: Started and closed once for each segment; or what has several, a `WorkerPool`
            here or a `Cluster` elsewhere.
        options: Codec, quality, whether to overwrite and to resume.
        on_progress: Called after each frame, or a cluster's segment, on this thread, with the
            counts of the whole job.
        model: Anything that is equal for equal processors; only work of the same is resumed.
        on_message: Called with what the user should know at once.

    Raises:
        DeblurError: In one line what failed; the target is as it was before, and the segments
            that were finished wait for the next run.
    """
    source, target, options = Path(source), Path(target), options or CleanOptions()
    tell = on_message or (lambda message: None)
    _require_different(source, target)
    require_promising(target, overwrite=options.overwrite)
    with ExitStack() as stack:
        ready = stack.enter_context(closing(prepare(source, target, options, model)))
        reader, window, plan, identity = ready.reader, ready.window, ready.plan, ready.identity
        info, warnings = plan.info, ready.warnings
        work = stack.enter_context(Workspace(target, overwrite=options.overwrite))
        stack.enter_context(_told_what_is_kept(work, tell))
        if not (work.done and work.journal.identity == identity):
            require_free(target, overwrite=options.overwrite)
            _take_up(work, identity, options, tell)
            work.journal.total.frames_expected = info.frames_estimate
            job = Job(source.absolute(), target.absolute(), work.folder, plan, window, identity)
            executor = processor if isinstance(processor, Executor) else WorkerPool([processor])
            _clean_rest(work, job, reader, executor, _of_the_whole(work, on_progress), tell)
            _join(work, source, target, plan, window, overwrite=options.overwrite)
        stats = work.journal.total
        joined = work.journal.joined
        warnings += joined.warnings if joined else ()
    return CleanResult(stats, (*warnings, *_remarks(info, stats)))


@dataclass(frozen=True, slots=True)
class Ready:
    """A job before its beginning.

    Attributes:
        reader: At the first picture that is wanted.
        window: The part that is wanted.
        plan: Of its segments.
        identity: By which unfinished work is known again.
        warnings: What the user should know about the encoding.
    """

    reader: Reader
    window: TimeRange
    plan: Plan
    identity: Identity
    warnings: tuple[str, ...]

    def close(self) -> None:
        """Close the reader."""
        self.reader.close()


def prepare(
    source: Path, target: Path, options: CleanOptions, model: str, *, tried: bool = True
) -> Ready:
    """Look at the source and decide what is to be done; writes nothing.

    Args:
        source: The video.
        target: Its suffix names the container.
        options: Codec, quality and the part that is wanted.
        model: See `clean_file`.
        tried: Whether the quality is found out by encoding a few frames, which takes seconds.

    Raises:
        DeblurError: In one line why it cannot be done.
    """
    container = container_of(target)
    _require_different(source, target)
    require_one_recording(source)
    window = options.excerpt.window(source)
    with ExitStack() as stack:
        reader = stack.enter_context(
            closing(Reader(source, BURN_IN, window, max_pixels=options.max_pixels))
        )
        if reader.next_pts is None:
            raise JobError(f"{source} shows nothing {options.excerpt}")
        window, info = window.narrowed(reader.info, reader.next_pts)
        if container.steady:
            steady_rate(source)  # before any work
        require_distinct(info, container.unit, container)
        clock = coarser_clock(info, container)
        in_order = require_short_pauses(source, on_clock(info, clock), container, window)
        encoding, warnings = choose_encoding(
            on_clock(described(info, options.view), clock),
            dataclasses.replace(for_stills(options.encoder, target, info), in_order=in_order),
            container.muxer,
        )
        plan = make_plan(info, encoding, options.segment_s, options.view, clock)
        if tried and options.encoder.crf is None:
            plan = dataclasses.replace(plan, encoding=following(source, plan))
        identity = identity_of(source, plan, window, model, target)
        stack.pop_all()
    return Ready(reader, window, plan, identity, tuple(warnings))


def check(source: Path, target: Path, options: CleanOptions) -> None:
    """Raise at once what `clean_file` would raise before its first frame; changes nothing.

    Raises:
        DeblurError: In one line why it cannot be done.
    """
    require_promising(target, overwrite=options.overwrite)
    prepare(source, target, options, "", tried=False).close()


def _require_different(source: Path, target: Path) -> None:
    stills = Stills.at(source)
    same_names = stills is not None and stills == Stills.at(target)
    try:
        same_file = source.samefile(target)
    except OSError:  # one is not there, or has a name too long, as is said later
        same_file = False
    if same_names or same_file:
        raise JobError(f"{target} is the input itself; choose another name for the output")


@contextmanager
def _told_what_is_kept(work: Workspace, tell: Callable[[str], None]) -> Iterator[None]:
    """Say what an interrupted job has finished, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if work.journal.segments:
            frames = work.journal.total.frames_out
            tell(f"{work.target}: {frames} frames are kept; the same command goes on behind them")
        raise


def _take_up(
    work: Workspace,
    identity: Identity,
    options: CleanOptions,
    tell: Callable[[str], None],
) -> None:
    """Keep what an earlier run of the same job has finished."""
    if not options.resume:
        work.begin(identity)
    elif removed := work.adopt(identity):
        tell(removed)
    if work.journal.segments:
        frames = work.journal.total.frames_out
        tell(f"{work.target}: going on behind {frames} frames of an earlier run")


def _clean_rest(
    work: Workspace,
    job: Job,
    reader: Reader,
    executor: Executor,
    on_progress: Callable[[RunStats], None],
    tell: Callable[[str], None],
) -> None:
    """Have the rest cleaned; once more, read in one go, where a search has led elsewhere."""
    before = reader.marks()
    _add_all(work, executor.clean(job, reader, work.journal, on_progress), tell)
    lost = strays(work.journal.segments, before)
    if lost or work.journal.segments[-1].next_pts is not None:
        work.journal.drop(lost)
        read = dataclasses.replace(job, searched=False)
        with closing(read.open()) as reader:
            _add_all(work, executor.clean(read, reader, work.journal, on_progress), tell)


def _add_all(
    work: Workspace, made: Generator[Cleaned, None, None], tell: Callable[[str], None]
) -> None:
    with closing(made):
        for cleaned in made:
            if differs := work.add(*cleaned):
                tell(differs)


def _join(
    work: Workspace,
    source: Path,
    target: Path,
    plan: Plan,
    window: TimeRange,
    *,
    overwrite: bool,
) -> None:
    """Make the whole file in the work's folder, note what it is, and give it its name."""
    stills = Stills.at(target)
    path = work.folder / (f"joined{target.suffix}" if stills is None else "joined.mov")
    file = PartialFile(target, overwrite=overwrite, path=path)
    segments = work.journal.segments
    _require_all(segments, plan.info.name)
    info = on_clock(plan.info, plan.clock)
    if plan.encoding.limited:
        info = dataclasses.replace(info, color=info.color.limited())
    try:
        warnings = join(
            [work.folder / segment.name for segment in segments],
            source,
            path,
            info,
            window,
            reorder=max(segment.reorder for segment in segments),
            end=round(segments[-1].end * plan.info.time_base / info.time_base),
            shown_as=target,
            stills=target.suffix if stills else "",
        )
        work.journal.add_joined(Joined(file_id(path), tuple(warnings)))
        if stills is None:
            file.commit()
        else:
            numbered = Stills.at(source)
            write_stills(path, stills, numbered.first() if numbered else 1)
    finally:
        file.discard()


def _require_all(segments: Sequence[Segment], name: str) -> None:
    """Raise JobError where frames of the source are in no segment."""
    if not strays(segments, segments[0].before) and segments[-1].next_pts is None:
        return
    frames = sum(segment.frames for segment in segments)
    raise JobError(
        f"{name} gave {frames} frames, and others another time; use --no-resume to start afresh"
    )


def _of_the_whole(
    work: Workspace, on_progress: Callable[[RunStats], None] | None
) -> Callable[[RunStats], None]:
    """Takes the counts of what is in work, and tells those of the job."""

    def tell(now: RunStats) -> None:
        if on_progress:
            on_progress(_sum(work.journal.total, now))

    return tell


def _sum(before: RunStats, now: RunStats) -> RunStats:
    """The counts of both; of times only those before, which is enough to show progress."""
    return dataclasses.replace(
        before,
        frames_in=before.frames_in + now.frames_in,
        frames_out=before.frames_out + now.frames_out,
        decode_failures=before.decode_failures + now.decode_failures,
        duration_s=before.duration_s + now.duration_s,
    )


def _remarks(info: StreamInfo, stats: RunStats) -> list[str]:
    remarks = []
    if stats.decode_failures:
        remarks.append(
            f"{info.name}: {stats.decode_failures} damaged places; the picture before each was "
            "repeated, or some are missing there"
        )
    if stats.frames_missing:
        remarks.append(
            f"{info.name} is cut off or damaged, frames missing from it: about "
            f"{stats.frames_missing}; all that can be read was cleaned"
        )
    if _FLOATS.search(info.source_pixel_format):
        remarks.append(f"{info.name}: its fractions become whole numbers of 16 bits, from 0 to 1")
    if "interlacing" in info.not_carried:  # of the rest the finished file tells
        remarks.append(f"{info.name}: its interlacing cannot be kept")
    return remarks
