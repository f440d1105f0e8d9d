"""Between frames and arrays of RGB, as programs that use the library have them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.frame import ColorTags, Frame, Planes

RGB = ColorTags(range=2, matrix=0)
"""How to read planes that hold G, B, R themselves."""


def from_rgb(array: NDArray[np.uint8]) -> Planes:
    """Planes G, B, R, to be read with `RGB`, of (H, W, 3) uint8.

    Raises:
        ValueError: It is another kind of array.
    """
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ValueError(f"a picture is (H, W, 3) uint8 RGB, not {array.shape} {array.dtype}")
    return Planes(tuple(np.ascontiguousarray(array[..., channel]) for channel in (1, 2, 0)), (0, 0))


def to_rgb(frame: Frame) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of a frame, whatever its planes are."""
    if frame.color.matrix == 0 and frame.planes.bit_depth == 8 and len(frame.planes.arrays) == 3:
        green, blue, red = frame.planes.arrays
        return np.stack([red, green, blue], axis=2).astype(np.uint8, copy=False)
    from stream.pixel_format import write_picture

    return write_picture(frame, "rgb24").to_ndarray().astype(np.uint8, copy=False)
