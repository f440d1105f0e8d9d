"""RGB in and out, for scores, training data and models of RGB frames: the stream stays in YUV."""

from typing import Literal

import cv2
import numpy as np

from models.planes import Levels, chroma_shape

Matrix = Literal["bt601", "bt709", "bt2020"]

# Luma coefficients of red and blue (ITU-R BT.601-7 section 2.5.1, BT.709-6 section 3,
# BT.2020-2 table 4, non-constant luminance).
_COEFFICIENTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}


def _to_yuv(matrix: Matrix) -> np.ndarray:
    """3x3: RGB in [0, 1] to Y in [0, 1] and U, V in [-0.5, 0.5]."""
    red, blue = _COEFFICIENTS[matrix]
    green = 1 - red - blue
    luma = np.array([red, green, blue])
    u = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    v = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, u, v]).astype(np.float32)


def rgb_to_planes(
    rgb: np.ndarray, levels: Levels, matrix: Matrix = "bt709"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 RGB to 8-bit 4:2:0 planes, each chroma sample the mean of its four pixels."""
    if levels.bit_depth != 8:
        raise ValueError(f"RGB of 8 bits becomes planes of 8 bits, not {levels.bit_depth}")
    height, width = rgb.shape[:2]
    yuv = cv2.transform(rgb.astype(np.float32) / 255, _to_yuv(matrix))
    rows, columns = chroma_shape(height, width)
    even = cv2.copyMakeBorder(
        yuv[..., 1:], 0, 2 * rows - height, 0, 2 * columns - width, cv2.BORDER_REPLICATE
    )
    chroma = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)
    (black, luma_scale), (grey, chroma_scale) = levels.luma, levels.chroma
    codes = [
        yuv[..., 0] * luma_scale + black,
        chroma[..., 0] * chroma_scale + grey,
        chroma[..., 1] * chroma_scale + grey,
    ]
    y, u, v = (np.clip(np.rint(code), 0, levels.peak).astype(np.uint8) for code in codes)
    return y, u, v


def add_residual(
    rgb: np.ndarray,
    residual: tuple[np.ndarray, np.ndarray, np.ndarray],
    levels: Levels,
    matrix: Matrix = "bt709",
) -> np.ndarray:
    """Add plane residuals to (H, W, 3) uint8 RGB; rounded and clipped once, to uint8.

    residual: (H, W), and twice (ceil(H/2), ceil(W/2)), in code values of `levels`.
    """
    height, width = rgb.shape[:2]
    scales = (levels.luma[1], levels.chroma[1], levels.chroma[1])
    pairs = zip(residual, scales, strict=True)
    nominal = [plane.astype(np.float32) / scale for plane, scale in pairs]
    even = (2 * nominal[1].shape[1], 2 * nominal[1].shape[0])
    full = [nominal[0]] + [
        cv2.resize(plane, even, interpolation=cv2.INTER_LINEAR)[:height, :width]
        for plane in nominal[1:]
    ]
    change = cv2.transform(cv2.merge(full), np.linalg.inv(_to_yuv(matrix)).astype(np.float32))
    return np.clip(np.rint(rgb + 255 * change), 0, 255).astype(np.uint8)


def planes_to_rgb(
    planes: tuple[np.ndarray, np.ndarray, np.ndarray], levels: Levels, matrix: Matrix
) -> np.ndarray:
    """Y, U, V code values to (H, W, 3) float32 RGB, nominally in [0, 1] and not clipped.

    planes: (H, W), and twice (h, w), chroma of any reduction; it is interpolated.
    """
    height, width = planes[0].shape
    scales = (levels.luma, levels.chroma, levels.chroma)
    nominal = [
        (plane.astype(np.float32) - zero) / scale
        for plane, (zero, scale) in zip(planes, scales, strict=True)
    ]
    chroma = [cv2.resize(plane, (width, height)) for plane in nominal[1:]]
    yuv = cv2.merge([nominal[0], *chroma])
    return np.asarray(cv2.transform(yuv, np.linalg.inv(_to_yuv(matrix)).astype(np.float32)))


def change_of_planes(
    change: np.ndarray, chroma: tuple[int, int], levels: Levels, matrix: Matrix
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A change of (H, W, 3) float32 RGB as changes of Y, U, V in code values.

    chroma: height and width of U and V, each of whose samples gets the mean over its area.
    """
    y, u, v = cv2.split(cv2.transform(change, _to_yuv(matrix)))
    smaller = [
        cv2.resize(plane, chroma[::-1], interpolation=cv2.INTER_AREA) * levels.chroma[1]
        for plane in (u, v)
    ]
    return y * levels.luma[1], smaller[0], smaller[1]
