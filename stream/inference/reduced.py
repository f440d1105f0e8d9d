"""A processor that works on a smaller picture, and corrects the large one by what it found."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from stream.frame import Frame, Plane, Planes, StreamInfo, chroma_size
from stream.stages import Processor


class Reduced:
    """Shrinks each frame, and adds the enlarged correction to the frame itself.

    So what needs no correction keeps every pixel, as with the processor alone.

    Args:
        processor: Does the work; also used elsewhere, it is told of every change by the size.
        factor: By which width and height are divided, rounding up.
    """

    def __init__(self, processor: Processor, factor: int = 2) -> None:
        self._processor = processor
        self._factor = factor
        self._inside: deque[tuple[Frame, Planes]] = deque()

    def start(self, info: StreamInfo) -> None:
        """Get ready for the small frames of this stream."""
        width, height = self._size(info.width, info.height)
        self._processor.start(dataclasses.replace(info, width=width, height=height))

    def process(self, frame: Frame) -> Sequence[Frame]:
        """See `stream.stages.Processor.process`."""
        small = _resized(frame.planes, *self._size(frame.width, frame.height))
        self._inside.append((frame, small))
        return self._corrected(self._processor.process(frame.replace(planes=small)))

    def flush(self) -> Sequence[Frame]:
        """Give the rest."""
        return self._corrected(self._processor.flush())

    def close(self) -> None:
        """Forget the stream."""
        self._inside.clear()
        self._processor.close()

    def _corrected(self, results: Iterable[Frame]) -> list[Frame]:
        done = []
        for result in results:
            frame, small = self._inside.popleft()
            done.append(result.replace(planes=_with_change(frame.planes, small, result.planes)))
        return done

    def _size(self, width: int, height: int) -> tuple[int, int]:
        return -(-width // self._factor), -(-height // self._factor)


def _resized(planes: Planes, width: int, height: int) -> Planes:
    chroma = chroma_size(width, height, planes.subsampling)
    sizes = ((width, height), chroma, chroma)
    arrays: list[Plane] = [
        cv2.resize(array, size, interpolation=cv2.INTER_AREA).astype(planes.dtype, copy=False)
        for array, size in zip(planes.arrays, sizes, strict=False)
    ]
    return Planes(tuple(arrays), planes.subsampling, planes.bit_depth)


def _with_change(planes: Planes, before: Planes, after: Planes) -> Planes:
    """``planes`` plus what makes ``after`` of ``before``, enlarged; rounded and clipped once."""
    peak = (1 << planes.bit_depth) - 1
    arrays: list[Plane] = []
    for large, old, new in zip(planes.arrays, before.arrays, after.arrays, strict=True):
        change = cv2.subtract(new, old, dtype=cv2.CV_32F)
        change = cv2.resize(change, large.shape[::-1], interpolation=cv2.INTER_LINEAR)
        depth = cv2.CV_8U if planes.bit_depth == 8 else cv2.CV_16U
        arrays.append(np.minimum(cv2.add(large, change, dtype=depth), peak))
    return Planes(tuple(arrays), planes.subsampling, planes.bit_depth)
