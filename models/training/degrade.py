"""What a camera and a codec add to a frame besides motion blur: noise and compression loss.

Kept mild: the tool removes motion blur and is no denoiser. Knows nothing of scenes or motion.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def add_noise(
    rng: np.random.Generator, light: NDArray[np.float32], *, read: float, shot: float
) -> NDArray[np.float32]:
    """Add sensor noise of variance read^2 + shot^2 * light to light of 0 to 1 (Foi et al. 2008)."""
    if read == 0 and shot == 0:
        return light
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    noise *= np.sqrt(np.clip(light, 0, 1) * np.float32(shot**2) + np.float32(read**2))
    noise += light
    return noise


def compress(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Pass (H, W, 3) uint8 RGB through JPEG of a quality of 1 to 100, chroma at half size."""
    _, stream = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(stream, cv2.IMREAD_COLOR_RGB), np.uint8)
