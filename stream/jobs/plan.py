"""How a recorded video is divided into segments. Pure arithmetic on times; reads no file.

A segment holds the pictures of an equal span of time, wherever the keyframes lie: pictures are
counted as they are decoded, so no seam depends on how exactly a container can be searched, and
nothing need be known of a file's end to begin. A span without pictures has no segment.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from stream.containers import CONTAINERS, Container
from stream.errors import JobError
from stream.frame import StreamInfo
from stream.jobs.comparison import View
from stream.jobs.pauses import require_distinct
from stream.output.encoding import Encoding, refusal

SEGMENT_S = Fraction(15)
"""Seconds. Work that a crash may cost, against a keyframe and a burn-in for every segment."""

_PARTS, _LEAST_S = 8, Fraction(5, 2)
"""Segments that a shorter video has, so that there is one for each core; how long they are."""

_FINEST = Fraction(1, 1_000_000)

_LEAST_FRAMES = 100
"""What a segment of slow video holds, where a span of time would hold less."""

BURN_IN = 8
"""Frames that a segment's state is warmed with.

Measured with `tiny` on three real clips at 480x360 (blurred dog, GoPro, parkour), luma of a
segment's first picture against that of a run in one go, mean and largest, in code values: without
burn-in 0.46 and 25; 1 frame 0.12 and 4; 2 frames 0.04 and 1; 4 frames 0.006 and 1; 8 frames 0.0002
and 1. A model that forgets slower needs more.
"""

LOOK_AHEAD = 2
"""Frames behind a segment that are processed too, for a processor that looks ahead: the next one
is mended by that, and is itself restored with its own next one in sight."""

# MP4 and MOV came back with every pts and dts exactly, from every time base tried; NUT loses dts.
# MOV is for ProRes, Matroska for VP8 and transparent VP9: it counts in 1/1000 s, as their files do.
_SEGMENTS = tuple(container for container in CONTAINERS if container.whole_times)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a segment's contents depend on, besides the pictures and the processor.

    Attributes:
        info: The video, or the part of it that is wanted.
        encoding: Used afresh for every segment.
        format_name: FFmpeg's muxer for segments.
        span: Of a segment, in units of the video's time base.
        burn_in: Frames before a segment that are processed, from a fresh state, but not written;
            at least 1.
        view: How before and after are shown together; None shows what comes after alone.
        clock: Time base of what is encoded, where that is coarser than the video's.
    """

    info: StreamInfo
    encoding: Encoding
    format_name: str
    span: int
    burn_in: int = BURN_IN
    view: View | None = None
    clock: Fraction | None = None

    def __post_init__(self) -> None:
        if self.span < 1 or self.burn_in < 1:
            raise ValueError(f"a segment has a span and a burn-in: {self.span}, {self.burn_in}")

    @property
    def output(self) -> StreamInfo:
        """What is encoded."""
        return on_clock(described(self.info, self.view), self.clock)

    @property
    def segments_estimate(self) -> int | None:
        """How many there will be, where the length is known; at least 1."""
        if not self.info.duration_s:
            return None
        return max(1, math.ceil(self.info.duration_s / float(self.span * self.info.time_base)))

    def index_of(self, pts: int) -> int:
        """Which segment a picture belongs to."""
        return max(0, (pts - self.info.start_pts) // self.span)

    def start_of(self, index: int) -> int:
        """The pts from which a picture belongs to a segment."""
        return self.info.start_pts + index * self.span

    def end_of(self, index: int) -> int:
        """The pts at which the next segment begins."""
        return self.start_of(index + 1)

    def file_name(self, index: int) -> str:
        """Of a segment."""
        return f"{index:06}.{self.format_name}"


def described(info: StreamInfo, view: View | None) -> StreamInfo:
    """What is encoded of a video."""
    return view.describe(info) if view else info


def on_clock(info: StreamInfo, clock: Fraction | None) -> StreamInfo:
    """What is known of a video when its time is counted in ``clock``; None leaves it as it is."""
    if clock is None or clock == info.time_base:
        return info
    start = round(info.start_pts * info.time_base / clock)
    return replace(info, time_base=clock, start_pts=start)


def coarser_clock(info: StreamInfo, container: Container) -> Fraction | None:
    """What to count time in where the video's own clock is finer than anything needs.

    Encoders and muxers multiply time bases, and some refuse one of nanoseconds.
    """
    if info.time_base >= _FINEST:
        return None
    return container.unit or _FINEST


def shift_in_segments(info: StreamInfo) -> int:
    """What is added to every pts while it is in a segment, in units of the video's time base.

    A negative start is moved to 0, for good. One that is not 0 but hardly later is moved by a
    second, and back again: FFmpeg reads it from MP4 as 0 where the first decode time is negative.
    """
    if info.start_pts < 0:
        return -info.start_pts
    second = round(1 / info.time_base)
    return second if 0 < info.start_pts < second else 0


def make_plan(
    info: StreamInfo,
    encoding: Encoding,
    segment_s: Fraction | None = None,
    view: View | None = None,
    clock: Fraction | None = None,
) -> Plan:
    """Divide a video.

    Args:
        info: Of the video, or of the part of it that is wanted.
        encoding: Of its segments.
        segment_s: Seconds that a segment spans; None leaves it to the video's length.
        view: How before and after are shown together.
        clock: See `Plan`. Where the only container for segments counts in a coarser one, as does
            Matroska for VP8, that one is taken.

    Raises:
        JobError: The encoder's packets cannot be kept in segments, or not with times of their own.
    """
    usual_s = segment_s or _usual_s(info)
    for container in _SEGMENTS:
        unit = clock or info.time_base
        if container.unit and (unit / container.unit).denominator != 1:
            unit = container.unit
        longest_s = usual_s if container.longest_pause is None else container.longest_pause * unit
        span = max(1, round(min(usual_s, longest_s) / info.time_base))
        plan = Plan(info, encoding, container.muxer, span, view=view, clock=unit)
        if refusal(plan.output, encoding, container.muxer) is None:
            require_distinct(info, unit, container)
            return plan
    raise JobError(f"{encoding.encoder} cannot be written in segments; choose another --codec")


def _usual_s(info: StreamInfo) -> Fraction:
    """Never of the machine, or it would change the outcome."""
    least_s = _LEAST_FRAMES / info.frame_rate if info.frame_rate else Fraction(0)
    if not info.duration_s:
        return max(SEGMENT_S, least_s)
    parts = _PARTS
    while parts > 1 and info.duration_s < parts * _LEAST_S:
        parts //= 2
    return max(least_s, min(SEGMENT_S, Fraction(info.duration_s) / parts))
