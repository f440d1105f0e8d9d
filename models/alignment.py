"""A frame's neighbours, moved to where the frame itself shows what they show.

The same for training and for every runtime: optical flow between reduced lumas (dense inverse
search, Kroeger et al., ECCV 2016) and one linear interpolation of whole planes, on the host. Knows
planes, not streams.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.unsignedinteger[Any]]
Flow: TypeAlias = NDArray[np.float32]
"""(ceil(H/4), ceil(W/4), 2) horizontal and vertical displacements, in luma samples: what the frame
shows at x, its neighbour shows at x + flow."""

REDUCTION = 4
"""Flow is found on, and kept at, a quarter of the frame's resolution."""

SMALLEST = 12
"""Shortest side of a reduced luma, in samples, that flow can be found on."""

MOST_UNLIKE = 0.5
"""How much of a frame's contrast its moved neighbour may differ by and still count as one."""

_PATCH_STRIDE, _ITERATIONS = 6, 8
"""Half the time of the library's preset, and within 0.2 dB of it on a walk, 27.4 against 27.5."""


def reduced_luma(luma: Plane, bit_depth: int) -> NDArray[np.uint8]:
    """A luma plane, (H, W), as what flow is found on: (ceil(H/4), ceil(W/4)) uint8.

    Of RGB, the green plane does as well.
    """
    size = tuple(-(-side // REDUCTION) for side in reversed(luma.shape))
    small = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), luma.dtype)
    return (small >> (bit_depth - 8)).astype(np.uint8, copy=False)


def find_flow(frame: NDArray[np.uint8], neighbour: NDArray[np.uint8]) -> Flow | None:
    """The flow from a frame to its neighbour, both as `reduced_luma` gives them and of one size.

    None where they are too small for it.
    """
    if min(frame.shape) < SMALLEST:
        return None
    flow = _search().calc(frame, neighbour, None)
    return np.asarray(flow * np.float32(REDUCTION), np.float32)


def moved(planes: Sequence[NDArray[Any]], flow: Flow) -> list[NDArray[Any]]:
    """A neighbour's planes, each (H, W) or of reduced chroma, as the frame would show them.

    Linear between samples, whole numbers rounded; beyond a border its samples are repeated.
    """
    height, width = planes[0].shape
    result = []
    grown: dict[tuple[int, ...], tuple[Any, Any]] = {}
    for plane in planes:
        if plane.shape not in grown:
            grown[plane.shape] = _positions(flow, plane.shape, (height, width))
        columns, rows = grown[plane.shape]
        found = cv2.remap(plane, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        result.append(np.asarray(found, plane.dtype))
    return result


@dataclass(frozen=True, slots=True)
class Past:
    """What a frame leaves for the next one's reference.

    Attributes:
        small: its own `reduced_luma`.
        blend: planes that are half of it and half of what was made of it. Of that alone, errors
            would feed on themselves: a steady pan lost its gain within 18 frames, with ringing
            edges.
    """

    small: NDArray[np.uint8]
    blend: list[Plane]

    @classmethod
    def of(cls, small: NDArray[np.uint8], frame: Sequence[Plane], output: Sequence[Plane]) -> Past:
        """The past that a frame and its output, equal in shapes, make."""
        halves = (
            np.asarray(cv2.addWeighted(a, 0.5, b, 0.5, 0), a.dtype)
            for a, b in zip(frame, output, strict=True)
        )
        return cls(small, list(halves))


def aligned(
    small: NDArray[np.uint8], neighbour: NDArray[np.uint8], planes: Sequence[Plane]
) -> list[Plane] | None:
    """A neighbour's planes as the frame would show them, None where it shows something else.

    `small` and `neighbour` are the `reduced_luma` of the frame and of its neighbour.
    """
    flow = find_flow(small, neighbour)
    if flow is None or not explains(small, moved([neighbour], flow / np.float32(REDUCTION))[0]):
        return None
    return moved(planes, flow)


def explains(frame: NDArray[np.uint8], neighbour: Plane) -> bool:
    """Whether the moved neighbour shows what the frame shows, but for blur and noise.

    After a cut, in a flash or behind a covered lens it does not, and what was made of it has
    nothing to say.
    """
    level = np.full_like(frame, round(cv2.mean(frame)[0]))
    differs, contrast = (cv2.norm(frame, other, cv2.NORM_L1) for other in (neighbour, level))
    return bool(differs <= MOST_UNLIKE * contrast)


def _positions(
    flow: Flow, shape: tuple[int, ...], luma: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each sample of a plane of this shape comes from: columns and rows, (H, W) each."""
    found = []
    for axis, places in enumerate(_grid(shape)):
        share = np.float32(shape[1 - axis] / luma[1 - axis])
        # each direction by itself: of both at once, OpenCV takes ten times as long
        full = cv2.resize(flow[..., axis] * share, shape[::-1], interpolation=cv2.INTER_LINEAR)
        found.append(np.add(full, places, out=full))
    columns, rows = found
    return columns, rows


@lru_cache(16)
def _grid(shape: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rows, columns = shape
    return np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)[:, None]


_own = threading.local()  # a search holds the buffers that it works in


def _search() -> Any:
    if not hasattr(_own, "search"):
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        search.setFinestScale(0)
        search.setPatchStride(_PATCH_STRIDE)
        search.setGradientDescentIterations(_ITERATIONS)
        _own.search = search
    return _own.search
