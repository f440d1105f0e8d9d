"""A picture's planes as one array at a quarter of its resolution, and back, on the host.

Only moves samples: a source's own planes, whatever their layout, with the values it gave them.
What the values mean is `yuv420`'s.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.network import MULTIPLE
from models.planes import PATCH, padded_length
from stream.frame import Plane, Planes
from stream.inference.engine import Geometry


def grid(geometry: Geometry) -> tuple[int, int]:
    """Rows and columns of patches of 4x4 luma samples, the picture being padded to `MULTIPLE`."""
    height, width = geometry.shapes[0]
    return padded_length(height, MULTIPLE) // PATCH, padded_length(width, MULTIPLE) // PATCH


def pack(pictures: Sequence[Planes], geometry: Geometry) -> Plane:
    """Pictures to (N, h, w, C): each plane's blocks one after the other, rows of a block first.

    Sides are padded to h and w of `grid` by repeating the border.
    """
    rows, columns = grid(geometry)
    packed: Plane = np.empty((len(pictures), rows, columns, sum(geometry.channels)), geometry.dtype)
    for picture, out in zip(pictures, packed, strict=True):
        for plane, block, part in zip(
            picture.arrays, geometry.blocks, _split(out, geometry), strict=True
        ):
            whole = padded(plane, rows * block[0], columns * block[1])
            words = runs(whole, block[1]).reshape(rows, block[0], columns)
            runs(part, block[1])[...] = words.transpose(0, 2, 1)
    return packed


def unpack(packed: Plane, geometry: Geometry) -> list[Planes]:
    """The inverse of `pack`, the padding cut off."""
    pictures = []
    for one in packed:
        arrays = []
        for (height, width), block, part in zip(
            geometry.shapes, geometry.blocks, _split(one, geometry), strict=True
        ):
            words = np.ascontiguousarray(runs(part, block[1]).transpose(0, 2, 1))
            plane = words.view(geometry.dtype).reshape(
                one.shape[0] * block[0], one.shape[1] * block[1]
            )
            arrays.append(np.ascontiguousarray(plane[:height, :width]))
        pictures.append(Planes(tuple(arrays), geometry.subsampling, geometry.bit_depth))
    return pictures


def _split(packed: Plane, geometry: Geometry) -> list[Any]:
    return np.split(packed, np.cumsum(geometry.channels)[:-1], axis=-1)


def runs(samples: Plane, length: int) -> NDArray[np.unsignedinteger[Any]]:
    """Runs of samples as single words: moving those took a third of the time."""
    return samples.view(f"u{length * samples.itemsize}")


def padded(plane: Plane, height: int, width: int) -> Plane:
    """The plane with its last row and column repeated up to this size."""
    rows, columns = height - plane.shape[0], width - plane.shape[1]
    if not rows and not columns:
        return plane
    return np.pad(plane, ((0, rows), (0, columns)), mode="edge")  # type: ignore[return-value]
