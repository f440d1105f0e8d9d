"""Planes with more bits or finer chroma, from which the old samples can be told.

Knows numpy alone. FFmpeg's swscale, as PyAV calls it, takes chroma to lie in the middle of its
pixels, and makes 1020 of full range's white in 10 bits where chroma grows too.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from stream.frame import ColorTags, Plane, Planes


def widened(planes: Planes, subsampling: tuple[int, int], depth: int, color: ColorTags) -> Planes:
    """The same picture in at least this depth and with at least as fine chroma.

    Chroma is taken to lie where MPEG-2 and its successors put it unless they say otherwise: at the
    left one of two pixels, between two rows.
    """
    before, depth = planes.bit_depth, max(depth, planes.bit_depth)
    x, y = (min(pair) for pair in zip(planes.subsampling, subsampling, strict=True))
    if ((x, y), depth) == (planes.subsampling, before):
        return planes
    luma, *chroma = planes.arrays
    arrays = [more_bits(luma, before, depth, full_range=color.full_range)]
    for plane in chroma:
        larger: Any = plane.astype(np.uint16 if before <= 13 else np.uint32)  # 3 bits come
        fraction = 0
        if y < planes.subsampling[1]:
            larger, fraction = _between_rows(larger)[: planes.height], 2
        if x < planes.subsampling[0]:
            larger, fraction = _at_left_pixels(larger)[:, : planes.width], fraction + 1
        middle = 0 if color.rgb else 1 << (before - 1)
        if color.full_range and before < depth:
            arrays.append(_stretched(larger, before, depth, fraction, middle))
        else:
            arrays.append(_shifted(larger, before, depth, fraction))
    return Planes(tuple(arrays), (x, y), depth)


def limited(planes: Planes) -> Planes:
    """Return luma and chroma of full range in limited range, rounded once.

    Of 8 bits, 0 to 255 becomes 16 to 235 in luma and 16 to 240 in chroma (ITU-T H.273, 8.3).
    """
    unit, peak = 1 << (planes.bit_depth - 8), (1 << planes.bit_depth) - 1
    luma, *chroma = planes.arrays
    arrays = [luma * np.float32(219 * unit / peak) + 16 * unit]
    for plane in chroma:
        distance = plane.astype(np.float32) - 128 * unit
        arrays.append(distance * np.float32(224 * unit / peak) + 128 * unit)
    whole = tuple(cast(Plane, np.rint(array).astype(planes.dtype)) for array in arrays)
    return Planes(whole, planes.subsampling, planes.bit_depth)


def more_bits(array: Plane, before: int, after: int, *, full_range: bool) -> Plane:
    """Luma, red, green, blue or alpha with more bits a sample."""
    if before == after:
        return array
    if full_range:
        return _stretched(array, before, after, 0, 0)
    return _shifted(array.astype(np.uint16), before, after, 0)


def _shifted(samples: Any, before: int, after: int, fraction: int) -> Plane:
    """Limited range, where every bit more doubles a sample, of which some bits are a fraction."""
    left = after - before - fraction
    whole = samples << left if left >= 0 else (samples + (1 << -left >> 1)) >> -left
    return cast(Plane, whole.astype(np.uint8 if after == 8 else np.uint16))


def _stretched(samples: Any, before: int, after: int, fraction: int, middle: int) -> Plane:
    """Full range, which ends in all ones, around the middle of chroma."""
    scale = np.float32(((1 << after) - 1) / ((1 << before) - 1) / (1 << fraction))
    distance = samples.astype(np.float32) - (middle << fraction)
    whole = np.rint(distance * scale + (middle << (after - before)))
    return cast(Plane, whole.clip(0, (1 << after) - 1).astype(np.uint16))


def _between_rows(samples: Any) -> Any:
    """Four times the samples of twice as many rows, a quarter of a row beside the old ones."""
    rows, columns = samples.shape
    larger = np.empty((2 * rows, columns), samples.dtype)
    near = 3 * samples
    larger[0], larger[-1] = 4 * samples[0], 4 * samples[-1]
    np.add(near[1:], samples[:-1], out=larger[2::2])
    np.add(near[:-1], samples[1:], out=larger[1:-1:2])
    return larger


def _at_left_pixels(samples: Any) -> Any:
    """Twice the samples of twice as many columns: the old ones, and halfway to the next."""
    rows, columns = samples.shape
    larger = np.empty((rows, 2 * columns), samples.dtype)
    np.add(samples, samples, out=larger[:, 0::2])
    np.add(samples[:, :-1], samples[:, 1:], out=larger[:, 1:-1:2])
    larger[:, -1] = larger[:, -2]
    return larger
