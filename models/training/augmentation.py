"""Clips turned, mirrored and with U and V exchanged: as true as the clip itself.

The same for NumPy and JAX arrays: only indexing and a choice that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.planes import CHANNELS

KINDS = 4
"""Rows reversed, columns reversed, transposed, U and V swapped: the flags of `turned`."""


def turned(
    samples: Any, flow: Any, flags: Any, choose: Callable[[Any, Any, Any], Any]
) -> tuple[Any, Any]:
    """Turn a square stretch of a clip.

    Args:
        samples: (T, h, w, 24 n), features of n pictures joined.
        flow: (T, h, w, 2), horizontal and vertical displacements.
        flags: (`KINDS`,) bool.
        choose: `choose(flag, a, b)` is a where the flag is set, otherwise b.
    """
    rows, columns, transposed, swapped = flags
    count = samples.shape[-1] // CHANNELS
    signs = np.array([1, -1], flow.dtype)
    samples = choose(rows, samples[:, ::-1][..., _joined(_ROWS, count)], samples)
    flow = choose(rows, flow[:, ::-1] * signs, flow)
    samples = choose(columns, samples[:, :, ::-1][..., _joined(_COLUMNS, count)], samples)
    flow = choose(columns, flow[:, :, ::-1] * signs[::-1], flow)
    samples = choose(transposed, samples.swapaxes(1, 2)[..., _joined(_TRANSPOSED, count)], samples)
    flow = choose(transposed, flow.swapaxes(1, 2)[..., ::-1], flow)
    return choose(swapped, samples[..., _joined(_SWAPPED, count)], samples), flow


def _channels(change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Where each of the 24 channels of a patch comes from if its planes are changed so."""
    y, u, v = np.arange(16).reshape(4, 4), np.arange(16, 20).reshape(2, 2), np.arange(20, 24)
    return np.concatenate([change(plane).ravel() for plane in (y, u, v.reshape(2, 2))])


_ROWS = _channels(lambda plane: plane[::-1])
_COLUMNS = _channels(lambda plane: plane[:, ::-1])
_TRANSPOSED = _channels(lambda plane: plane.T)
_SWAPPED = np.r_[0:16, 20:24, 16:20]


def _joined(places: np.ndarray, count: int) -> np.ndarray:
    return np.concatenate([places + CHANNELS * index for index in range(count)])
