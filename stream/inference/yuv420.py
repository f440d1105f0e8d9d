"""The 4:2:0 view that the network has of any source's samples, and the way back.

Pure functions on packed pictures (see `packing`), in the array namespace they are given: inside a
compiled step, or NumPy. A source keeps its own planes: only the view is resampled, and only a
residual is added to what the source delivered. Both ways are linear in the samples of a patch, so
a matrix each does it for every layout.
"""

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from models.planes import Array, Levels, channel_levels
from stream.inference.engine import Geometry

BLOCKS = ((4, 4), (2, 2), (2, 2))
"""Rows and columns of a patch's Y, U and V samples in 4:2:0."""

# G, B, R in [0, 1] to Y, U, V of BT.709, for the view of a source that holds RGB.
_FROM_GBR = np.array([[0.7152, 0.0722, 0.2126], [-0.3854, 0.5, -0.1146], [-0.4542, -0.0458, 0.5]])


def features(values: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Float32 code values (N, h, w, C) to the features of their 4:2:0 view, (N, h, w, 24)."""
    levels = Levels(geometry.bit_depth, geometry.full_range)
    offset, scale = channel_levels(levels)
    if geometry.is_420:
        return (values - offset) / scale
    if geometry.rgb or len(geometry.blocks) == 1:  # its chroma is around 0, not around grey
        offset = offset - np.float32(levels.chroma[0]) * (np.arange(len(offset)) >= 16)
    return (xp.matmul(values, _to_view(geometry)) - offset) / scale


def corrected(values: Array, residual: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Code values plus the residual of their view, both float32; rounded and clipped once."""
    levels = Levels(geometry.bit_depth, geometry.full_range)
    _, scale = channel_levels(levels)
    changes = residual * scale
    if not geometry.is_420:
        changes = xp.matmul(changes, _to_source(geometry))
    return xp.clip(xp.round(values + changes), 0, levels.peak)


def _to_view(geometry: Geometry) -> np.ndarray:
    """(C, 24): samples of a source's patch to those of its view."""
    planes = np.eye(3)[:, : len(geometry.blocks)]
    return _patch_matrix(_FROM_GBR if geometry.rgb else planes, geometry.blocks, BLOCKS)


def _to_source(geometry: Geometry) -> np.ndarray:
    """(24, C): changes of a view's patch to those of the source's samples."""
    planes = np.eye(3)[: len(geometry.blocks)]
    mixed = np.linalg.inv(_FROM_GBR) if geometry.rgb else planes
    return _patch_matrix(mixed, BLOCKS, geometry.blocks)


def _patch_matrix(
    mixed: np.ndarray, have: Sequence[tuple[int, int]], want: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Mix planes by (planes wanted, planes there), each resampled to the other's block."""
    parts = [
        [
            weight * np.kron(_resampling(block[0], old[0]), _resampling(block[1], old[1])).T
            for block, weight in zip(want, weights, strict=True)
        ]
        for old, weights in zip(have, mixed.T, strict=True)
    ]
    return np.block(parts).astype(np.float32)


def _resampling(want: int, have: int) -> np.ndarray:
    """(want, have): average or repeat samples along one axis."""
    if want > have:
        return np.kron(np.eye(have), np.ones((want // have, 1)))
    return np.kron(np.eye(want), np.full((1, have // want), want / have))
