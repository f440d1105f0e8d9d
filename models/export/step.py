"""What an exported file computes: one frame's step, by the names of its inputs and outputs.

Planes are float32 in nominal values, Y in [0, 1], U and V in [-0.5, 0.5], so that one file serves
every bit depth and range. What comes out is the residual, in the same units: the caller adds it to
the planes it has and rounds once.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from models.network import LUMA, MULTIPLE
from models.packing import Geometry, pack
from models.planes import PATCH, Levels, chroma_shape, padded_length

Tensors: TypeAlias = dict[str, np.ndarray]
Step: TypeAlias = Callable[[Tensors], Tensors]
Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

PLANES = ("y", "u", "v")
NEIGHBOURS = ("reference", "following")
HIDDEN, NEXT_HIDDEN = "hidden", "next_hidden"
RESIDUALS = ("y_residual", "u_residual", "v_residual")


def input_names(neighbours: int) -> list[str]:
    """The planes of the frame, those of each neighbour such as `reference_y`, and `hidden`."""
    others = [f"{name}_{plane}" for name in NEIGHBOURS[:neighbours] for plane in PLANES]
    return [*PLANES, *others, HIDDEN]


def nominal_planes(
    planes: Sequence[np.ndarray], levels: Levels, neighbour: str | None = None
) -> Tensors:
    """Code values of one frame, (H, W) and twice (ceil(H/2), ceil(W/2)), to the step's planes.

    With the name of a neighbour, to its.
    """
    scales = [levels.luma, levels.chroma, levels.chroma]
    names = [f"{neighbour}_{name}" if neighbour else name for name in PLANES]
    return {
        name: ((plane[None] - np.float32(zero)) / np.float32(scale)).astype(np.float32, copy=False)
        for name, plane, (zero, scale) in zip(names, planes, scales, strict=True)
    }


def network_frames(inputs: Tensors, neighbours: int) -> np.ndarray:
    """Pack a step's planes to what the network itself reads, (1, h, w, 24 * (1 + neighbours))."""
    geometry = Geometry.yuv420(*inputs[PLANES[0]].shape[1:])
    *names, _ = input_names(neighbours)
    packed = [
        pack([[inputs[name][0] for name in names[index : index + 3]]], geometry)
        for index in range(0, len(names), 3)
    ]
    for values in packed:
        values[..., :LUMA] -= np.float32(0.5)
    current, *others = packed
    return np.concatenate([current, *(other - current for other in others)], axis=-1)


def residual_codes(outputs: Tensors, levels: Levels) -> list[np.ndarray]:
    """A step's residuals in float32 code values, (H, W) and twice (ceil(H/2), ceil(W/2))."""
    scales = (levels.luma[1], levels.chroma[1], levels.chroma[1])
    return [
        outputs[name][0] * np.float32(scale) for name, scale in zip(RESIDUALS, scales, strict=True)
    ]


def plane_shapes(size: Size) -> list[tuple[int, int]]:
    """Height and width of Y, U and V of frames of this size."""
    return [size, chroma_shape(*size), chroma_shape(*size)]


def hidden_shape(size: Size, hidden: int) -> tuple[int, int, int]:
    """Rows, columns and channels of the hidden state of frames of this size."""
    rows, columns = (padded_length(side, MULTIPLE) // (2 * PATCH) for side in size)
    return rows, columns, hidden


def fresh_hidden(size: Size, hidden: int, *, channels_first: bool) -> np.ndarray:
    """The hidden state before a stream's first frame, of batch 1: all zeros."""
    rows, columns, channels = hidden_shape(size, hidden)
    shape = (channels, rows, columns) if channels_first else (rows, columns, channels)
    return np.zeros((1, *shape), np.float32)
