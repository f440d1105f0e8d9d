"""The 4:2:0 view that the network has of any source's planes, and the way back.

Pure functions on tensors, traced into the compiled step. A source keeps its own planes: only the
view is resampled, and only a residual is added to what the source delivered.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from models.planes import Array, Levels

# G, B, R in [0, 1] to Y, U, V of BT.709, for the view of a source that holds RGB.
_FROM_GBR = np.array(
    [[0.7152, 0.0722, 0.2126], [-0.3854, 0.5, -0.1146], [-0.4542, -0.0458, 0.5]], np.float32
)
_TO_GBR = np.linalg.inv(_FROM_GBR).astype(np.float32)


def view420(
    planes: Sequence[Array], subsampling: tuple[int, int], levels: Levels, *, rgb: bool
) -> list[Array]:
    """Planes (N, H, W) of any layout to float32 Y, U, V code values of a 4:2:0 frame."""
    if not rgb and len(planes) == 3 and subsampling == (1, 1):
        return list(planes)
    values = [ops.cast(plane, "float32") for plane in planes]
    grey = levels.chroma[0]
    if len(planes) == 1:
        rows, columns = (planes[0].shape[1] + 1) // 2, (planes[0].shape[2] + 1) // 2
        chroma = ops.full((planes[0].shape[0], rows, columns), grey, "float32")
        return [values[0], chroma, chroma]
    if rgb:
        values = _mixed(values, _FROM_GBR)
        values = [values[0], values[1] + grey, values[2] + grey]
    return [values[0], *(_resampled(v, subsampling, (1, 1)) for v in values[1:])]


def corrected(
    planes: Sequence[Array],
    residual: Sequence[Array],
    subsampling: tuple[int, int],
    levels: Levels,
    *,
    rgb: bool,
) -> list[Array]:
    """Add a 4:2:0 residual to the source's planes; rounded, clipped and cast once."""
    changes = list(residual[: len(planes)])
    if len(planes) == 3 and subsampling != (1, 1):
        shape = planes[1].shape
        changes[1:] = [
            _resampled(change, (1, 1), subsampling)[:, : shape[1], : shape[2]]
            for change in changes[1:]
        ]
    if rgb:
        changes = _mixed(changes, _TO_GBR)
    return [
        ops.cast(
            ops.clip(ops.round(ops.cast(plane, "float32") + change), 0, levels.peak), plane.dtype
        )
        for plane, change in zip(planes, changes, strict=True)
    ]


def _mixed(values: list[Any], matrix: np.ndarray) -> list[Any]:
    return [sum(float(w) * value for w, value in zip(row, values, strict=True)) for row in matrix]


def _resampled(plane: Any, have: tuple[int, int], want: tuple[int, int]) -> Any:
    """Average or repeat the samples of (N, H, W) to change its (horizontal, vertical) reduction."""
    for axis, before, after in ((2, have[0], want[0]), (1, have[1], want[1])):
        for _ in range(before, after):
            plane = _halved(plane, axis)
        for _ in range(after, before):
            plane = ops.repeat(plane, 2, axis=axis)
    return plane


def _halved(plane: Any, axis: int) -> Any:
    if plane.shape[axis] % 2:
        last = plane[:, -1:] if axis == 1 else plane[:, :, -1:]
        plane = ops.concatenate([plane, last], axis=axis)
    if axis == 1:
        return 0.5 * (plane[:, 0::2] + plane[:, 1::2])
    return 0.5 * (plane[:, :, 0::2] + plane[:, :, 1::2])
