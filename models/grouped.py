"""A picture's features in groups of four channels, and the corrected picture, on the host.

The same values as those of `models.packing`, written straight to where a runtime reads them: any
order of a (24, h, w) or (h, w, 24) tensor can be seen as (6, h, w, 4). In 4:2:0 a group is every
fourth row of Y, or the squares of two by two samples of U or V: the samples go straight there and
back, in half the time.
"""

from typing import Any, Protocol

import numpy as np

from models.packing import (
    Geometry,
    Planes,
    corrected,
    frame_features,
    pack,
    padded,
    runs,
    unpack,
)
from models.planes import channel_levels


class Samples(Protocol):
    """Those of one picture."""

    def write_features(self, out: np.ndarray) -> None:
        """Write the features of its 4:2:0 view to (6, h, w, 4) float32."""

    def write_change(self, frame: Any, out: np.ndarray) -> None:
        """Write the features less those of a frame, samples of the same layout."""

    def corrected(self, residual: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the planes plus (6, h, w, 4) residual features, whose memory may be worked in."""


def samples_of(picture: Planes, geometry: Geometry) -> Samples:
    """Return a picture's samples, as its layout wants."""
    return _Grouped(picture, geometry) if geometry.is_420 else _Packed(picture, geometry)


def channel_groups(values: np.ndarray, *, channels_first: bool) -> np.ndarray:
    """View features (C, h, w) or (h, w, C) as groups, (C / 4, h, w, 4): the same memory."""
    if channels_first:
        return values.reshape(-1, 4, *values.shape[1:]).transpose(0, 2, 3, 1)
    return values.reshape(*values.shape[:2], -1, 4).transpose(2, 0, 1, 3)


class _Grouped:
    """The samples of a 4:2:0 picture, in groups."""

    def __init__(self, picture: Planes, geometry: Geometry) -> None:
        rows, columns = geometry.grid
        y, u, v = (
            padded(plane, rows * high, columns * wide)
            for plane, (high, wide) in zip(picture, geometry.blocks, strict=True)
        )
        self._groups = [*y.reshape(rows, 4, columns, 4).swapaxes(0, 1), _squares(u), _squares(v)]
        self._geometry = geometry
        self._peak = geometry.levels.peak
        self._offsets, self._scales = (each[::4] for each in channel_levels(geometry.levels))

    def write_features(self, out: np.ndarray) -> None:
        for group, samples, offset, scale in zip(
            out, self._groups, self._offsets, self._scales, strict=True
        ):
            np.subtract(samples, offset, out=group)
            group /= scale

    def write_change(self, frame: "_Grouped", out: np.ndarray) -> None:
        for group, samples, others, scale in zip(
            out, self._groups, frame._groups, self._scales, strict=True
        ):
            np.subtract(samples, others, out=group, dtype=np.float32)
            group /= scale

    def corrected(self, residual: np.ndarray) -> tuple[np.ndarray, ...]:
        rows, columns = residual.shape[1:3]
        y = np.empty((rows, 4, columns, 4), self._geometry.dtype)
        u, v = (np.empty((rows, columns, 4), self._geometry.dtype) for _ in range(2))
        made = [*y.swapaxes(0, 1), u, v]
        for out, group, samples, scale in zip(
            made, residual, self._groups, self._scales, strict=True
        ):
            group *= scale
            group += samples
            np.rint(group, out=group)
            np.clip(group, 0, self._peak, out=group)
            out[...] = group
        whole = (y.reshape(4 * rows, 4 * columns), _from_squares(u), _from_squares(v))
        return tuple(
            np.ascontiguousarray(plane[:high, :wide])
            for plane, (high, wide) in zip(whole, self._geometry.shapes, strict=True)
        )


def _squares(plane: np.ndarray) -> np.ndarray:
    """Move (2 h, 2 w) to (h, w, 4): the samples of each square, row by row."""
    pairs = runs(plane, 2).reshape(len(plane) // 2, 2, -1)
    words = np.ascontiguousarray(pairs.transpose(0, 2, 1))
    return words.view(plane.dtype)


def _from_squares(squares: np.ndarray) -> np.ndarray:
    """Move (h, w, 4) back to (2 h, 2 w)."""
    pairs = np.ascontiguousarray(runs(squares, 2).transpose(0, 2, 1))
    return pairs.view(squares.dtype).reshape(2 * len(squares), -1)


class _Packed:
    """The samples of a picture of any layout."""

    def __init__(self, picture: Planes, geometry: Geometry) -> None:
        self._picture = picture
        self._geometry = geometry
        (self._features,) = frame_features(picture, geometry)

    def write_features(self, out: np.ndarray) -> None:
        out[...] = channel_groups(self._features, channels_first=False)

    def write_change(self, frame: "_Packed", out: np.ndarray) -> None:
        change = self._features - frame._features
        out[...] = channel_groups(change, channels_first=False)

    def corrected(self, residual: np.ndarray) -> tuple[np.ndarray, ...]:
        change = residual.transpose(1, 2, 0, 3).reshape(1, *residual.shape[1:3], -1)
        values = pack([self._picture], self._geometry).astype(np.float32)
        changed = corrected(values, change, self._geometry, np)
        return unpack(changed.astype(self._geometry.dtype), self._geometry)[0]
