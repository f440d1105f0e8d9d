"""The 4:2:0 view that the network has of any source's samples, and the way back.

Pure functions on packed pictures (see `packing`), in the array namespace they are given: inside a
compiled step, or NumPy. A source keeps its own planes: only the view is resampled, and only a
residual is added to what the source delivered.
"""

from types import ModuleType
from typing import Any

import numpy as np

from models.planes import CHANNELS, Array, Levels, channel_levels
from stream.inference.engine import Geometry

# G, B, R in [0, 1] to Y, U, V of BT.709, for the view of a source that holds RGB.
_FROM_GBR = np.array(
    [[0.7152, 0.0722, 0.2126], [-0.3854, 0.5, -0.1146], [-0.4542, -0.0458, 0.5]], np.float32
)
_TO_GBR = np.linalg.inv(_FROM_GBR).astype(np.float32)

_LUMA, _CHROMA = (4, 4), (2, 2)
"""Rows and columns of a patch's samples in 4:2:0."""


def features(values: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Float32 code values (N, h, w, C) to the features of their 4:2:0 view, (N, h, w, 24)."""
    levels = Levels(geometry.bit_depth, geometry.full_range)
    offset, scale = channel_levels(levels)
    return (_view420(values, geometry, levels, xp) - offset) / scale


def corrected(values: Array, residual: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Code values plus the residual of their view, both float32; rounded and clipped once."""
    levels = Levels(geometry.bit_depth, geometry.full_range)
    _, scale = channel_levels(levels)
    changes = _of_source(residual * scale, geometry, xp)
    return xp.clip(xp.round(values + changes), 0, levels.peak)


def _is_420(geometry: Geometry) -> bool:
    return not geometry.rgb and geometry.blocks == (_LUMA, _CHROMA, _CHROMA)


def _view420(values: Array, geometry: Geometry, levels: Levels, xp: ModuleType) -> Array:
    if _is_420(geometry):
        return values
    grey = levels.chroma[0]
    parts = _parts(values, geometry.channels)
    if len(parts) == 1:
        neutral = xp.full((*values.shape[:3], CHANNELS - geometry.channels[0]), grey, "float32")
        return xp.concatenate([values, neutral], axis=-1)
    if geometry.rgb:
        y, u, v = _mixed(parts, _FROM_GBR)
        parts = [y, u + grey, v + grey]
    chroma = [_resampled(part, geometry.blocks[1], _CHROMA, xp) for part in parts[1:]]
    return xp.concatenate([parts[0], *chroma], axis=-1)


def _of_source(changes: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Changes of a 4:2:0 view (N, h, w, 24) as changes of the source's own samples."""
    if _is_420(geometry):
        return changes
    y, u, v = _parts(changes, (16, 4, 4))
    if len(geometry.blocks) == 1:
        return y
    chroma = [_resampled(part, _CHROMA, geometry.blocks[1], xp) for part in (u, v)]
    parts = [y, *chroma]
    return xp.concatenate(_mixed(parts, _TO_GBR) if geometry.rgb else parts, axis=-1)


def _parts(values: Array, channels: tuple[int, ...]) -> list[Array]:
    ends = np.cumsum(channels)
    return [values[..., end - count : end] for end, count in zip(ends, channels, strict=True)]


def _mixed(parts: list[Array], matrix: np.ndarray) -> list[Array]:
    return [sum(float(w) * part for w, part in zip(row, parts, strict=True)) for row in matrix]


def _resampled(part: Any, have: tuple[int, int], want: tuple[int, int], xp: ModuleType) -> Any:
    """Average or repeat the samples of each patch of (N, h, w, rows * columns)."""
    n, h, w = part.shape[:3]
    rows, columns = min(have[0], want[0]), min(have[1], want[1])
    blocks = xp.reshape(part, (n, h, w, rows, have[0] // rows, columns, have[1] // columns))
    blocks = xp.mean(blocks, axis=(4, 6), keepdims=True)
    blocks = xp.repeat(blocks, want[0] // rows, axis=4)
    blocks = xp.repeat(blocks, want[1] // columns, axis=6)
    return xp.reshape(blocks, (n, h, w, want[0] * want[1]))
