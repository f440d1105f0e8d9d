"""Single pictures, measured for sharpness."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SOFT = 250.0  # sharpness() below which a picture is no target


def sharpness(picture: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of luma at width 640; below about 250 a photo looks soft."""
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if luma.shape[1] > 640:
        height = max(1, round(luma.shape[0] * 640 / luma.shape[1]))
        luma = cv2.resize(luma, (640, height), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(luma, cv2.CV_32F).var())
