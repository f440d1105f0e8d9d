"""The pipeline's processor: frames in, deblurred frames out, a state for each stream.

Decides when a state is fresh. A state is replaced, never multiplied by a mask: NaN x 0 is NaN.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Self, TypeAlias

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.alignment import SMALLEST, Past, aligned, reduced_luma
from models.fusion import Restored
from models.network import LOOK_AHEAD
from models.packing import Geometry
from stream.errors import ModelError
from stream.frame import Discontinuity, Frame, Plane, Planes, StreamInfo
from stream.inference.cuts import CutDetector
from stream.inference.deblurrers import MAX_STRENGTH
from stream.inference.device import Compute, Device, Precision
from stream.inference.engine import Result, State, geometry_of
from stream.inference.engines import open_engine
from stream.pixel_format import read_planes
from stream.rgb import RGB, from_rgb, to_rgb

LONG_GAP = 2
"""Frames dropped in a row after which the frame before says little about the next one."""

_OWN = -1  # the stream of pictures that a program gives one by one


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame that has come: what it is computed with, and why it does not continue its stream.

    `small` is what it is aligned by, None for a model that has no use for neighbours.
    """

    frame: Frame
    geometry: Geometry
    small: NDArray[np.uint8] | None
    reason: Discontinuity | None


_Computed: TypeAlias = tuple[_Seen, Planes | None]
"""A frame, and what was made of it; None where that were no numbers."""


@dataclass(slots=True)
class StreamState:
    """What one stream carries from frame to frame.

    Attributes:
        state: the engine's, None for a fresh one.
        past: what the next reference is made of, None where there is none.
        held: the frame that waits for its next one, where the model looks ahead.
        made: the frame that waits for what is made of its next one, in recorded video.
        last: what mends the next frame and is mended by it, None where that begins afresh.
        geometry, pts, cuts: of the newest frame that has come.
    """

    state: State | None = None
    past: Past | None = None
    held: _Seen | None = None
    made: _Computed | None = None
    last: Restored | None = None
    geometry: Geometry | None = None
    pts: int | None = None
    cuts: CutDetector = field(default_factory=CutDetector)


class Deblurrer:
    """Removes motion blur from the frames of one or more streams.

    It computes on the thread that calls, one at a time: a second one gets a RuntimeError. `resets`
    counts, by reason, how often a state began afresh. As a context manager it forgets every stream
    at the end.

    Args:
        model: see `open_engine`, as for device, precision, runtime, single_thread
            and quick_start.
        device: where to compute.
        precision: how precisely.
        runtime: what computes.
        single_thread: whether several of these work at the same time.
        quick_start: whether the first frame matters more than the rate.
        look_ahead: whether a frame waits for the next ones, as it may in recorded video. The
            network is shown the next one, and each is mended. Then `process` gives a frame one
            call later, or two, and `flush` the last ones.
        mend: whether, with look-ahead, what comes out sharper beside a frame mends it
            (`models.fusion`).
        strength: how much of the correction to apply: 0 leaves every pixel as it is, 1 is what the
            model found, up to `MAX_STRENGTH` exaggerates it.
    """

    def __init__(
        self,
        model: str = "tiny",
        *,
        device: Device = "auto",
        precision: Precision = "auto",
        runtime: str = "auto",
        single_thread: bool = False,
        quick_start: bool = False,
        look_ahead: bool = False,
        mend: bool = True,
        strength: float = 1.0,
    ) -> None:
        if not isinstance(strength, int | float) or not 0 <= strength <= MAX_STRENGTH:
            raise ModelError(f"strength is {strength}: give a number from 0 to {MAX_STRENGTH}")
        self.strength = strength
        self.engine = open_engine(
            model,
            device=device,
            precision=precision,
            runtime=runtime,
            single_thread=single_thread,
            quick_start=quick_start,
            look_ahead=look_ahead,
        )
        self._mends = look_ahead and mend
        self._streams: dict[int, StreamState] = {}
        self._lock = threading.RLock()
        self._pictures = 0  # that a program gave one by one
        self.resets: Counter[Discontinuity] = Counter()

    @property
    def name(self) -> str:
        """Of the model."""
        return self.engine.name

    @property
    def compute(self) -> Compute:
        """The device and precision in use."""
        return self.engine.compute

    @property
    def identity(self) -> str:
        """What the output depends on, besides the frames: equal for equal pixels."""
        return self.identity_at(self.strength)

    def identity_at(self, strength: float) -> str:
        """The identity of the output at another strength."""
        ahead = " ahead" * self._looks_ahead + " mended" * self._mends
        return f"{self.engine.identity}{ahead} strength {strength:g}"

    @property
    def _looks_ahead(self) -> bool:
        return self.engine.neighbours == LOOK_AHEAD

    def start(self, info: StreamInfo) -> None:
        """Compile and warm up for the stream's frames, so that the first one is not late."""
        planes = read_planes(av.VideoFrame(info.width, info.height, info.pixel_format))
        self.engine.run([planes], [None], geometry_of(planes, info.color))

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Deblur the next picture of a program's own stream, (H, W, 3) uint8 RGB; a new array.

        Raises:
            ValueError: It is another kind of array.
        """
        frame = Frame(
            planes=from_rgb(picture),
            pts=self._pictures,
            time_base=Fraction(1),
            color=RGB,
            stream_id=_OWN,
        )
        self._pictures += 1
        (result,) = self.process_batch([frame])
        return to_rgb(result)

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Deblur the next frame of its stream, or with look-ahead one before it."""
        with self._alone():
            seen, later = self._see(frame), None
            if self._looks_ahead:
                stream = self._streams[frame.stream_id]
                held, stream.held, later = stream.held, seen, seen
                if held is None:
                    return ()
                seen = held
            return self._handed_on(self._computed([seen], [later]))

    def process_batch(self, frames: Sequence[Frame]) -> list[Frame]:
        """Deblur the next frame of each of several streams; equal geometries share a batch.

        None of them waits for its next one.
        """
        with self._alone():
            seen = [self._see(frame) for frame in frames]
            return [self._frame(*one) for one in self._computed(seen, [None] * len(seen))]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Refuse a thread that comes while another computes: both would change the same states."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "another thread is using this Deblurrer: give each its own, or call one at a time"
            )
        try:
            yield
        finally:
            self._lock.release()

    def _computed(self, seen: Sequence[_Seen], later: Sequence[_Seen | None]) -> list[_Computed]:
        """Deblur a frame of each of several streams, given the next one of each that has come."""
        groups: dict[Geometry, list[int]] = {}
        for index, each in enumerate(seen):
            groups.setdefault(each.geometry, []).append(index)
            if each.reason:
                self.reset(each.frame.stream_id, each.reason)
        done: dict[int, Planes | None] = {}
        for geometry, members in groups.items():
            streams = [self._streams[seen[index].frame.stream_id] for index in members]
            beside = [
                (self._reference(seen[index], stream), _following(seen[index], later[index]))
                for index, stream in zip(members, streams, strict=True)
            ]
            results = self.engine.run(
                [seen[index].frame.planes for index in members],
                [stream.state for stream in streams],
                geometry,
                beside,
            )
            for index, stream, result in zip(members, streams, results, strict=True):
                done[index] = self._finished(seen[index], stream, result)
        return [(one, done[index]) for index, one in enumerate(seen)]

    def _finished(self, seen: _Seen, stream: StreamState, result: Result) -> Planes | None:
        """The output; its stream goes on from there, or begins afresh if it is no number."""
        source = seen.frame.planes
        if not result.finite:
            self.reset(seen.frame.stream_id, Discontinuity.NON_FINITE)
            return None
        stream.state = result.state
        if seen.small is not None:
            if self.engine.aligned:
                stream.past = Past.of(seen.small, source.arrays, result.planes.arrays)
            else:
                stream.past = Past(seen.small, list(source.arrays))
        return result.planes

    def _handed_on(self, computed: Sequence[_Computed]) -> list[Frame]:
        """What is ready of frames that were computed."""
        if not self._mends:
            return [self._frame(*one) for one in computed]
        return [frame for one in computed for frame in self._mended(*one)]

    def _mended(self, seen: _Seen, planes: Planes | None) -> list[Frame]:
        """Take what was made of a frame, give the one before, mended by both its neighbours."""
        stream = self._streams[seen.frame.stream_id]
        before, last = stream.made, stream.last
        restored = Restored.of(planes.arrays, planes.bit_depth) if planes else None
        if restored and last and before:
            restored = restored.mended_by(last)
            planes = _as_planes(seen, restored.planes)
            before = before[0], _as_planes(before[0], last.mended_planes(restored))
        stream.made, stream.last = (seen, planes), restored
        return [self._frame(*before)] if before else []

    def _frame(self, seen: _Seen, planes: Planes | None) -> Frame:
        """A frame with its new planes at the strength that is asked for; as it came without."""
        if planes is None:
            return seen.frame
        return seen.frame.replace(planes=_blended(seen.frame.planes, planes, self.strength))

    def _reference(self, seen: _Seen, stream: StreamState) -> Planes | None:
        """What was made of the frame before, moved to where the frame shows it.

        Where that shows something else, the stream begins afresh: its state does, too. For earlier
        weights it is the frame before as it was, and mid-grey before the first.
        """
        past = stream.past
        if seen.small is None:
            return None
        if not self.engine.aligned:
            return _as_planes(seen, past.blend) if past else _grey(seen)
        if past is None or min(seen.small.shape) < SMALLEST:
            return None
        planes = aligned(seen.small, past.small, past.blend)
        if planes is None:
            self.reset(seen.frame.stream_id, Discontinuity.SCENE_CUT)
        return _as_planes(seen, planes)

    def _see(self, frame: Frame) -> _Seen:
        """Take note of a frame that has come, in the order of its stream."""
        stream = self._streams.setdefault(frame.stream_id, StreamState())
        geometry = geometry_of(frame.planes, frame.color)
        reason = _break(frame, stream, geometry)
        stream.geometry, stream.pts = geometry, frame.pts
        small = None
        if self.engine.neighbours:
            small = reduced_luma(frame.planes.arrays[0], geometry.bit_depth)
        return _Seen(frame, geometry, small, reason)

    def reset(self, stream_id: int = _OWN, reason: Discontinuity = Discontinuity.SEEK) -> None:
        """Begin a stream's state afresh with the next frame that is computed.

        Args:
            stream_id: of its frames; by default the stream of pictures given one by one.
            reason: that `resets` counts it by.
        """
        stream = self._streams.setdefault(stream_id, StreamState())
        stream.state = stream.past = stream.last = None
        self.resets[reason] += 1

    def forget(self, stream_id: int) -> None:
        """Let go of a stream that has ended."""
        self._streams.pop(stream_id, None)

    def flush(self) -> Sequence[Frame]:
        """Deblur what waits for a next frame that does not come."""
        with self._alone():
            streams = self._streams.values()
            held = [stream.held for stream in streams if stream.held]
            frames = self._handed_on(self._computed(held, [None] * len(held)))
            frames += [self._frame(*stream.made) for stream in streams if stream.made]
            for stream in streams:
                stream.held = stream.made = stream.last = None
            return frames

    def close(self) -> None:
        """Forget every stream."""
        self._streams.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _grey(seen: _Seen) -> Planes | None:
    """A picture in the middle of all codes, of the frame's kind."""
    geometry = seen.geometry
    levels = geometry.levels
    (zero, scale), (neutral, _) = levels.luma, levels.chroma
    luma, *chroma = seen.frame.planes.arrays
    middle = round(zero + scale / 2)
    codes = middle if geometry.rgb else round(neutral)
    return _as_planes(
        seen, [np.full_like(luma, middle), *(np.full_like(plane, codes) for plane in chroma)]
    )


def _following(seen: _Seen, later: _Seen | None) -> Planes | None:
    """The next frame moved to where the frame shows it; None where it does not continue it."""
    if later is None or later.reason or seen.small is None or later.small is None:
        return None
    return _as_planes(seen, aligned(seen.small, later.small, later.frame.planes.arrays))


def _as_planes(seen: _Seen, arrays: Sequence[Plane] | None) -> Planes | None:
    source = seen.frame.planes
    return Planes(tuple(arrays), source.subsampling, source.bit_depth) if arrays else None


def _blended(source: Planes, result: Planes, strength: float) -> Planes:
    """The source plus `strength` times what was corrected, within the code range."""
    if strength == 1:
        return result
    peak = (1 << source.bit_depth) - 1
    arrays = (
        np.minimum(cv2.addWeighted(new, strength, old, 1 - strength, 0), peak)
        for old, new in zip(source.arrays, result.arrays, strict=True)
    )
    return Planes(tuple(arrays), source.subsampling, source.bit_depth)


def _break(frame: Frame, stream: StreamState, geometry: Geometry) -> Discontinuity | None:
    """Why the frame does not continue its stream, or None."""
    cut = stream.cuts.is_cut(frame.planes)
    if frame.discontinuity or stream.pts is None:
        return frame.discontinuity or Discontinuity.START
    if geometry != stream.geometry:
        return Discontinuity.SIZE_CHANGE
    if frame.pts <= stream.pts:
        return Discontinuity.PTS_BACKWARDS
    if frame.gap > LONG_GAP:
        return Discontinuity.GAP
    return Discontinuity.SCENE_CUT if cut else None
