"""Before and after in one picture: beside each other, or as the two halves of a split screen.

Works on the planes as they are, whatever their format. Before is on the left as a player shows it,
so a video that is turned for display is joined along the other side.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from stream.frame import ColorTags, Frame, Plane, Planes, StreamInfo
from stream.stages import Processor

_LINE_SHARE = 300
"""The size of a split screen over the width of its line."""


class View(enum.Enum):
    """Where before and after are: two pictures, or the left and right half of one."""

    SIDE = "side"
    SPLIT = "split"

    def describe(self, info: StreamInfo) -> StreamInfo:
        """What becomes of a stream that is shown in this view."""
        if self is View.SPLIT:
            return info
        if _axis(info) == 0:
            return dataclasses.replace(info, height=2 * _even(info.height))
        return dataclasses.replace(info, width=2 * _even(info.width))


class Comparison:
    """Shows every frame of a stream together with what a processor makes of it.

    Args:
        processor: One frame for one; it may look ahead. Started and closed.
        view: Of the picture; `View.describe` tells its size.
    """

    def __init__(self, processor: Processor, view: View) -> None:
        self._processor = processor
        self._view = view
        self._axis, self._reversed = 1, False
        self._before: deque[Planes] = deque()

    def start(self, info: StreamInfo) -> None:
        """Get the processor ready, for the stream as it is."""
        self._axis, self._reversed = _axis(info), info.rotation in (90, 180)
        self._processor.start(info)

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Take one frame, give the comparisons that are ready."""
        self._before.append(frame.planes)
        return [self._compared(after) for after in self._processor.process(frame)]

    def flush(self) -> Sequence[Frame]:
        """Give the rest."""
        return [self._compared(after) for after in self._processor.flush()]

    def close(self) -> None:
        """Forget the stream."""
        self._before.clear()
        self._processor.close()

    def _compared(self, after: Frame) -> Frame:
        both = (self._before.popleft(), after.planes)
        one, other = both[::-1] if self._reversed else both
        alpha = after.alpha
        if self._view is View.SIDE:
            arrays = tuple(_beside(one, other, self._axis))
            if alpha is not None:
                plane = Planes((alpha,), bit_depth=after.planes.bit_depth)
                (alpha,) = _beside(plane, plane, self._axis)
        else:
            arrays = tuple(_split(one, other, self._axis, _white(after.planes, after.color)))
        planes = Planes(arrays, after.planes.subsampling, after.planes.bit_depth)
        return after.replace(planes=planes, alpha=alpha)


def _axis(info: StreamInfo) -> int:
    """Of the arrays, along which a player shows left and right."""
    return 0 if info.rotation in (90, 270) else 1


def _even(size: int) -> int:
    return size + size % 2


def _beside(one: Planes, other: Planes, axis: int) -> Iterator[Plane]:
    """Each side is filled up to an even size, so that chroma of any subsampling meets there."""
    half = _even(one.arrays[0].shape[axis])
    for first, second, scale in zip(one.arrays, other.arrays, _scales(one, axis), strict=True):
        missing = half // scale - first.shape[axis]
        fill = [(0, missing if axis == side else 0) for side in (0, 1)]
        both = [np.pad(plane, fill, mode="edge") for plane in (first, second)]
        yield np.concatenate(both, axis=axis)


def _split(one: Planes, other: Planes, axis: int, white: Sequence[int]) -> Iterator[Plane]:
    """The halves meet at an even place, which every chroma plane has."""
    size = one.arrays[0].shape[axis]
    middle = size // 4 * 2
    line = max(2, size // _LINE_SHARE // 2 * 2) if size > _LINE_SHARE // 10 else 0
    for first, second, scale, value in zip(
        one.arrays, other.arrays, _scales(one, axis), white, strict=True
    ):
        result = second.copy()
        after, before = (np.moveaxis(plane, axis, 0) for plane in (result, first))  # views
        after[: middle // scale] = before[: middle // scale]
        after[middle // scale : (middle + line) // scale] = value
        yield result


def _scales(planes: Planes, axis: int) -> list[int]:
    """How many pixels of the picture one of each plane spans."""
    return [1] + [1 << planes.subsampling[1 - axis]] * (len(planes.arrays) - 1)


def _white(planes: Planes, color: ColorTags) -> list[int]:
    """For each plane."""
    peak = (1 << planes.bit_depth) - 1
    if color.matrix == 0:
        return [peak] * len(planes.arrays)
    luma = peak if color.full_range else 235 << (planes.bit_depth - 8)
    return [luma] + [1 << (planes.bit_depth - 1)] * (len(planes.arrays) - 1)
