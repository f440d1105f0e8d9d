"""A picture's features in groups of four channels, as MNN computes, and the corrected picture.

The same values as those of `yuv420`. In 4:2:0 a group is every fourth row of Y, or the squares of
two by two samples of U or V: the samples go straight there and back, in half the time.
"""

from typing import Any, Protocol

import numpy as np

from models.planes import Levels, channel_levels
from stream.frame import Plane, Planes
from stream.inference import yuv420
from stream.inference.engine import Geometry
from stream.inference.packing import grid, pack, padded, runs, unpack


class Samples(Protocol):
    """Those of one picture."""

    def write_features(self, out: np.ndarray) -> None:
        """Write the features of its 4:2:0 view to (6, h, w, 4) float32."""

    def write_change(self, frame: Any, out: np.ndarray) -> None:
        """Write the features less those of a frame, samples of the same layout."""

    def corrected(self, residual: np.ndarray) -> Planes:
        """The picture plus (6, h, w, 4) residual features, whose memory may be worked in."""


def samples_of(picture: Planes, geometry: Geometry) -> Samples:
    """A picture's, as its layout wants."""
    return _Grouped(picture, geometry) if geometry.is_420 else _Packed(picture, geometry)


class _Grouped:
    """In 4:2:0."""

    def __init__(self, picture: Planes, geometry: Geometry) -> None:
        rows, columns = grid(geometry)
        y, u, v = (
            padded(plane, rows * high, columns * wide)
            for plane, (high, wide) in zip(picture.arrays, geometry.blocks, strict=True)
        )
        self._groups = [*y.reshape(rows, 4, columns, 4).swapaxes(0, 1), _squares(u), _squares(v)]
        self._geometry = geometry
        levels = Levels(geometry.bit_depth, geometry.full_range)
        self._peak = levels.peak
        self._offsets, self._scales = (each[::4] for each in channel_levels(levels))

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

    def corrected(self, residual: np.ndarray) -> Planes:
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
        arrays = tuple(
            np.ascontiguousarray(plane[:high, :wide])
            for plane, (high, wide) in zip(whole, self._geometry.shapes, strict=True)
        )
        return Planes(arrays, self._geometry.subsampling, self._geometry.bit_depth)


def _squares(plane: Plane) -> Plane:
    """(2 h, 2 w) to (h, w, 4): the samples of each square, row by row."""
    pairs = runs(plane, 2).reshape(len(plane) // 2, 2, -1)
    words = np.ascontiguousarray(pairs.transpose(0, 2, 1))
    return words.view(plane.dtype)


def _from_squares(squares: Plane) -> Plane:
    """The inverse of `_squares`."""
    pairs = np.ascontiguousarray(runs(squares, 2).transpose(0, 2, 1))
    return pairs.view(squares.dtype).reshape(2 * len(squares), -1)


def _write_grouped(values: np.ndarray, out: np.ndarray) -> None:
    """(1, h, w, 24) to (6, h, w, 4)."""
    out[...] = values.reshape(*out.shape[1:3], -1, 4).transpose(2, 0, 1, 3)


class _Packed:
    """In any layout."""

    def __init__(self, picture: Planes, geometry: Geometry) -> None:
        self._values = pack([picture], geometry).astype(np.float32)
        self._geometry = geometry

    def write_features(self, out: np.ndarray) -> None:
        _write_grouped(yuv420.features(self._values, self._geometry, np), out)

    def write_change(self, frame: "_Packed", out: np.ndarray) -> None:
        ours, theirs = (yuv420.features(s._values, self._geometry, np) for s in (self, frame))
        _write_grouped(ours - theirs, out)

    def corrected(self, residual: np.ndarray) -> Planes:
        change = residual.transpose(1, 2, 0, 3).reshape(1, *residual.shape[1:3], -1)
        changed = yuv420.corrected(self._values, change, self._geometry, np)
        return unpack(changed.astype(self._geometry.dtype), self._geometry)[0]
