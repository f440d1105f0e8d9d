"""One picture inside the bounds of another: what a stream does whose size changes midway."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stream.frame import ColorTags, Frame, Plane, Planes
from stream.pixel_format import format_of, read_planes, write_picture


def fitted(planes: Planes, color: ColorTags, width: int, height: int, pixel_format: str) -> Planes:
    """The whole picture as large as it fits, its proportions kept, in the middle of black.

    Args:
        planes: Luma and chroma, or grey.
        color: How to read them; black is of the same range.
        width: Of the result, in pixels.
        height: Likewise.
        pixel_format: Of the result: planar YUV or grey.
    """
    if (planes.width, planes.height) == (width, height):
        return _converted(planes, color, width, height, pixel_format)
    scale = min(Fraction(width, planes.width), Fraction(height, planes.height))
    size = (_even(planes.width * scale, width), _even(planes.height * scale, height))
    inner = _converted(planes, color, *size, pixel_format)
    left, top = (width - size[0]) // 4 * 2, (height - size[1]) // 4 * 2  # chroma counts in twos
    x, y = inner.subsampling
    depth = inner.bit_depth
    black = 0 if color.full_range else 16 << (depth - 8)
    arrays: list[Plane] = []
    for index, array in enumerate(inner.arrays):
        shift_x, shift_y = (x, y) if index else (0, 0)
        shape = (-(-height >> shift_y), -(-width >> shift_x))
        level = 1 << (depth - 1) if index else black
        canvas = np.full(shape, level, inner.dtype)
        rows, columns = array.shape
        row, column = top >> shift_y, left >> shift_x
        canvas[row : row + rows, column : column + columns] = array
        arrays.append(canvas)
    return Planes(tuple(arrays), inner.subsampling, depth)


def _converted(
    planes: Planes, color: ColorTags, width: int, height: int, pixel_format: str
) -> Planes:
    if pixel_format.startswith("gray") and len(planes.arrays) == 3:
        planes = Planes(planes.arrays[:1], bit_depth=planes.bit_depth)  # swscale would scale it
    if (planes.width, planes.height, format_of(planes)) == (width, height, pixel_format):
        return planes
    frame = Frame(planes=planes, pts=0, time_base=Fraction(1), color=color)
    return read_planes(write_picture(frame, pixel_format, (width, height)))


def _even(length: Fraction, bound: int) -> int:
    """The nearest even number of pixels, so that chroma fits; the bound where it is reached."""
    return bound if length >= bound else min(bound, max(2, 2 * round(length / 2)))
