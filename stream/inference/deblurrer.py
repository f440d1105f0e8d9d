"""The pipeline's processor: frames in, deblurred frames out, a state for each stream.

Decides when a state is fresh. A state is replaced, never multiplied by a mask: NaN x 0 is NaN.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import av

from models.network import State
from stream.frame import ColorTags, Discontinuity, Frame, Planes, StreamInfo
from stream.inference.cuts import CutDetector
from stream.inference.device import Compute, Device, Precision, choose
from stream.inference.engine import Engine, Geometry
from stream.pixel_format import read_planes

LONG_GAP = 2
"""Frames dropped in a row after which the frame before says little about the next one."""


@dataclass(slots=True)
class StreamState:
    """What one stream carries from frame to frame."""

    network: State | None = None
    geometry: Geometry | None = None
    pts: int | None = None
    cuts: CutDetector = field(default_factory=CutDetector)


class Deblurrer:
    """Removes motion blur from the frames of one or more streams.

    All calls come from one thread, the only one that computes. `resets` counts, by reason, how
    often a state began afresh.
    """

    def __init__(
        self, model: str = "tiny", *, device: Device = "auto", precision: Precision = "auto"
    ) -> None:
        self._engine = Engine(model, choose(device, precision))
        self._streams: dict[int, StreamState] = {}
        self.resets: Counter[Discontinuity] = Counter()

    @property
    def name(self) -> str:
        """Of the model."""
        return self._engine.model.name

    @property
    def compute(self) -> Compute:
        """The device and precision in use."""
        return self._engine.compute

    def start(self, info: StreamInfo) -> None:
        """Compile and warm up for the stream's frames, so that the first one is not late."""
        planes = read_planes(av.VideoFrame(info.width, info.height, info.pixel_format))
        self._engine.run([planes], [None], _geometry(planes, info.color))

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
            results = self._engine.run(
                [frames[index].planes for index in members],
                [stream.network for stream in streams],
                geometry,
            )
            for index, stream, result in zip(members, streams, results, strict=True):
                stream.network = result.state if result.finite else None
                if not result.finite:
                    self.resets[Discontinuity.NON_FINITE] += 1
                planes = result.planes if result.finite else frames[index].planes
                done[index] = frames[index].replace(planes=planes)
        return [done[index] for index in range(len(frames))]

    def _prepare(self, frame: Frame) -> Geometry:
        """Reset the frame's stream where it does not continue; returns the frame's geometry."""
        stream = self._streams.setdefault(frame.stream_id, StreamState())
        geometry = _geometry(frame.planes, frame.color)
        reason = _break(frame, stream, geometry)
        if reason:
            self.reset(frame.stream_id, reason)
        stream.geometry, stream.pts = geometry, frame.pts
        return geometry

    def reset(self, stream_id: int, reason: Discontinuity) -> None:
        """Begin a stream's state afresh with its next frame."""
        stream = self._streams.setdefault(stream_id, StreamState())
        stream.network = None
        self.resets[reason] += 1

    def flush(self) -> Sequence[Frame]:
        """Nothing: a causal model holds no frames back."""
        return ()

    def close(self) -> None:
        """Forget every stream."""
        self._streams.clear()


def _geometry(planes: Planes, color: ColorTags) -> Geometry:
    return Geometry.of(planes, full_range=color.full_range, rgb=color.matrix == 0)


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
