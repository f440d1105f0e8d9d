"""The pipeline's processor: frames in, deblurred frames out, a state for each stream.

Decides when a state is fresh. A state is replaced, never multiplied by a mask: NaN x 0 is NaN.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stream.errors import ModelError
from stream.frame import Discontinuity, Frame, Planes, StreamInfo
from stream.inference.cuts import CutDetector
from stream.inference.device import Compute, Device, Precision
from stream.inference.engine import Geometry, State
from stream.inference.engines import Runtime, open_engine
from stream.pixel_format import read_planes
from stream.rgb import RGB, from_rgb, to_rgb

LONG_GAP = 2
"""Frames dropped in a row after which the frame before says little about the next one."""

_OWN = -1  # the stream of pictures that a program gives one by one

MAX_STRENGTH = 1.5
"""Above this the correction overshoots: edges ring and noise shows."""


@dataclass(slots=True)
class StreamState:
    """What one stream carries from frame to frame."""

    state: State | None = None
    geometry: Geometry | None = None
    pts: int | None = None
    cuts: CutDetector = field(default_factory=CutDetector)


class Deblurrer:
    """Removes motion blur from the frames of one or more streams.

    All calls come from one thread, the only one that computes. `resets` counts, by reason, how
    often a state began afresh.

    Args:
        model: see `open_engine`, as for device, precision, runtime, single_thread
            and quick_start.
        device: where to compute.
        precision: how precisely.
        runtime: what computes.
        single_thread: whether several of these work at the same time.
        quick_start: whether the first frame matters more than the rate.
        strength: how much of the correction to apply: 0 leaves every pixel as it is, 1 is what the
            model found, up to `MAX_STRENGTH` exaggerates it.
    """

    def __init__(
        self,
        model: str = "tiny",
        *,
        device: Device = "auto",
        precision: Precision = "auto",
        runtime: Runtime = "auto",
        single_thread: bool = False,
        quick_start: bool = False,
        strength: float = 1.0,
    ) -> None:
        if not 0 <= strength <= MAX_STRENGTH:
            raise ModelError(f"strength is {strength}: give a number from 0 to {MAX_STRENGTH}")
        self.strength = strength
        self.engine = open_engine(
            model,
            device=device,
            precision=precision,
            runtime=runtime,
            single_thread=single_thread,
            quick_start=quick_start,
        )
        self._streams: dict[int, StreamState] = {}
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
        return f"{self.engine.identity} strength {self.strength:g}"

    def start(self, info: StreamInfo) -> None:
        """Compile and warm up for the stream's frames, so that the first one is not late."""
        planes = read_planes(av.VideoFrame(info.width, info.height, info.pixel_format))
        self.engine.run([planes], [None], Geometry.of(planes, info.color))

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
        (result,) = self.process(frame)
        return to_rgb(result)

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Deblur the next frame of its stream."""
        return self.process_batch([frame])

    def process_batch(self, frames: Sequence[Frame]) -> list[Frame]:
        """Deblur the next frame of each of several streams; equal geometries share a batch."""
        groups: dict[Geometry, list[int]] = {}
        for index, frame in enumerate(frames):
            groups.setdefault(self._prepare(frame), []).append(index)
        done: dict[int, Frame] = {}
        for geometry, members in groups.items():
            streams = [self._streams[frames[index].stream_id] for index in members]
            results = self.engine.run(
                [frames[index].planes for index in members],
                [stream.state for stream in streams],
                geometry,
            )
            for index, stream, result in zip(members, streams, results, strict=True):
                stream.state = result.state if result.finite else None
                if not result.finite:
                    self.resets[Discontinuity.NON_FINITE] += 1
                source = frames[index].planes
                planes = _blended(source, result.planes, self.strength)
                done[index] = frames[index].replace(planes=planes if result.finite else source)
        return [done[index] for index in range(len(frames))]

    def _prepare(self, frame: Frame) -> Geometry:
        """Reset the frame's stream where it does not continue; returns the frame's geometry."""
        stream = self._streams.setdefault(frame.stream_id, StreamState())
        geometry = Geometry.of(frame.planes, frame.color)
        reason = _break(frame, stream, geometry)
        if reason:
            self.reset(frame.stream_id, reason)
        stream.geometry, stream.pts = geometry, frame.pts
        return geometry

    def reset(self, stream_id: int, reason: Discontinuity) -> None:
        """Begin a stream's state afresh with its next frame."""
        stream = self._streams.setdefault(stream_id, StreamState())
        stream.state = None
        self.resets[reason] += 1

    def forget(self, stream_id: int) -> None:
        """Let go of a stream that has ended."""
        self._streams.pop(stream_id, None)

    def flush(self) -> Sequence[Frame]:
        """Nothing: a causal model holds no frames back."""
        return ()

    def close(self) -> None:
        """Forget every stream."""
        self._streams.clear()


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
