"""What a job would do and cost, found by doing a little of it for real.

A few frames from the middle go through the same processor, encoder and join, into a temporary
folder: what is missing in that file would be missing in the whole one. Nothing is written beside
the target.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.stream import Discard, Stream

from stream.capture.container import open_container, packets_of
from stream.capture.film import picture_stream
from stream.errors import JobError
from stream.jobs.clean import CleanOptions, CleanResult, clean_file, prepare
from stream.jobs.excerpt import Excerpt, middle_of
from stream.jobs.plan import Plan
from stream.jobs.worker_pool import WorkerPool
from stream.jobs.workspace import frames_finished
from stream.stages import Processor
from stream.stills import size_of

SAMPLE_FRAMES = 12
"""How many frames each processor cleans on trial; a few seconds of work on a slow machine."""

_KEY_EVERY = 250  # frames, as x264, x265 and VP9 have it where nobody asks for less


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a job would do.

    Attributes:
        plan: Of the segments, with the video and its encoding.
        copied: What would be beside the video, in words.
        warnings: What would be lost or come as a surprise.
        segments: How many; None where the length is unknown, as below.
        frames_finished: By an earlier run that was cut short.
        frames_tried: On trial.
        fps: Frames per second on trial.
        time_s: Of the rest of the work, loading not included.
        size: Of the file, in bytes.
    """

    plan: Plan
    copied: tuple[str, ...]
    warnings: tuple[str, ...]
    segments: int | None
    frames_finished: int
    frames_tried: int
    fps: float
    time_s: float | None
    size: int | None


def forecast(
    source: Path,
    target: Path,
    processor: Processor | WorkerPool,
    options: CleanOptions,
    *,
    model: str = "",
) -> Forecast:
    """Try what `clean_file` would do with the same arguments.

    Raises:
        DeblurError: What it would fail with, as far as a trial shows; what is at the target, or
            not, is the caller's business.
    """
    with closing(prepare(source, target, options, model)) as ready:
        plan, identity = ready.plan, ready.identity
    finished = frames_finished(target, identity) if options.resume else 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target.name
        result = _try(source, path, processor, options, plan)
        sample = _measure(path)
    tried = sum(result.stats.stages["inference"].times.bins.values())  # the burn-in too
    fps = tried / result.stats.duration_s
    frames = plan.info.frames_estimate
    segments, time_s, size = plan.segments_estimate, None, None
    if frames and segments:
        left = max(0, frames - finished) / frames
        time_s = left * (frames + segments * plan.burn_in) / fps
        size = sample.scaled(frames, segments, frames / result.stats.frames_out)
    return Forecast(
        plan=plan,
        copied=sample.copied,
        warnings=result.warnings,
        segments=segments,
        frames_finished=finished,
        frames_tried=result.stats.frames_out,
        fps=fps,
        time_s=time_s,
        size=size,
    )


def _try(
    source: Path, target: Path, processor: Processor | WorkerPool, options: CleanOptions, plan: Plan
) -> CleanResult:
    """From the middle; from the beginning where there is no picture just there.

    Each processor has a segment to do, so that it is seen how they get on beside each other.
    """
    info, wanted = plan.info, options.excerpt
    segment = Fraction(SAMPLE_FRAMES) / (info.frame_rate or 25)
    length = segment * (len(processor.processors) if isinstance(processor, WorkerPool) else 1)
    options = dataclasses.replace(options, segment_s=segment)
    first = wanted.start or Fraction(0)
    try:
        middle = middle_of(source, length, wanted)
        return clean_file(source, target, processor, dataclasses.replace(options, excerpt=middle))
    except JobError:
        beginning = dataclasses.replace(options, excerpt=Excerpt(first, first + length))
        return clean_file(source, target, processor, beginning)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Bytes of a file, by what they are for."""

    copied: tuple[str, ...]
    keys: list[int]
    others: list[int]
    beside: int
    once: int

    def scaled(self, frames: int, segments: int, times: float) -> int:
        """Of a file with so many frames, that lasts so many times as long."""
        key = sum(self.keys) / len(self.keys)
        if not self.others:  # every picture is a keyframe
            return round(self.once + frames * key + times * self.beside)
        keys = segments * math.ceil(frames / segments / _KEY_EVERY)
        other = sum(self.others) / len(self.others)
        return round(self.once + keys * key + (frames - keys) * other + times * self.beside)


def _measure(path: Path) -> _Sample:
    keys: list[int] = []
    others: list[int] = []
    beside = 0
    with open_container(path) as container:
        pictures = picture_stream(container, path)
        streams = [stream for stream in container.streams if stream.discard is not Discard.all]
        for packet in packets_of(container, streams, lambda: None):
            if packet.stream.index != pictures.index:
                beside += packet.size
            else:
                (keys if packet.is_keyframe else others).append(packet.size)
        chapters = len(container.chapters())
        copied = [_name(stream) for stream in streams if stream.index != pictures.index]
    if chapters:
        copied.append("chapters")
    once = size_of(path) - beside - sum(keys) - sum(others)
    return _Sample(tuple(copied), keys, others, beside, once)


def _name(stream: Stream) -> str:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else stream.name
    details = ", ".join(filter(None, (codec, stream.language)))
    return f"{stream.type} ({details})" if details else stream.type
