"""What an exported file computes: one frame's step, by the names of its inputs and outputs.

Planes are float32 in nominal values, Y in [0, 1], U and V in [-0.5, 0.5], so that one file serves
every bit depth and range. What comes out is the residual, in the same units: the caller adds it to
the planes it has and rounds once.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from models.network import MULTIPLE
from models.planes import CHANNELS, PATCH, Levels, chroma_shape, padded_length

Tensors: TypeAlias = dict[str, np.ndarray]
Step: TypeAlias = Callable[[Tensors], Tensors]
Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

PLANES = ("y", "u", "v")
STATE = ("previous", "hidden")
RESIDUALS = ("y_residual", "u_residual", "v_residual")
NEXT_STATE = ("next_previous", "next_hidden")


def nominal_planes(planes: Sequence[np.ndarray], levels: Levels) -> Tensors:
    """Code values of one frame, (H, W) and twice (ceil(H/2), ceil(W/2)), to the step's planes."""
    scales = [levels.luma, levels.chroma, levels.chroma]
    return {
        name: ((plane[None] - np.float32(zero)) / np.float32(scale)).astype(np.float32, copy=False)
        for name, plane, (zero, scale) in zip(PLANES, planes, scales, strict=True)
    }


def residual_codes(outputs: Tensors, levels: Levels) -> list[np.ndarray]:
    """A step's residuals in float32 code values, (H, W) and twice (ceil(H/2), ceil(W/2))."""
    scales = (levels.luma[1], levels.chroma[1], levels.chroma[1])
    return [
        outputs[name][0] * np.float32(scale) for name, scale in zip(RESIDUALS, scales, strict=True)
    ]


def next_state(outputs: Tensors) -> Tensors:
    """What goes into the next frame's step."""
    return {name: outputs[key] for name, key in zip(STATE, NEXT_STATE, strict=True)}


def plane_shapes(size: Size) -> list[tuple[int, int]]:
    """Height and width of Y, U and V of frames of this size."""
    return [size, chroma_shape(*size), chroma_shape(*size)]


def state_shapes(size: Size, hidden: int) -> list[tuple[int, int, int]]:
    """Rows, columns and channels of the state; `hidden` is the number of its hidden channels."""
    rows, columns = (padded_length(side, MULTIPLE) // PATCH for side in size)
    return [(rows, columns, CHANNELS), (rows // 2, columns // 2, hidden)]


def fresh_state(size: Size, hidden: int, *, channels_first: bool) -> Tensors:
    """The state before a stream's first frame, of batch 1: all zeros."""
    shapes = state_shapes(size, hidden)
    if channels_first:
        shapes = [(channels, rows, columns) for rows, columns, channels in shapes]
    return {name: np.zeros((1, *s), np.float32) for name, s in zip(STATE, shapes, strict=True)}
