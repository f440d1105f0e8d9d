"""The camera's curve: between stored 8-bit values and the light that fell on the sensor.

Blur is a mean of light, not of stored values, so it is computed here in between: `to_light` on
the way in, `to_stored` on the way out. Knows nothing of scenes, motion or clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

STEPS = 65536  # of light; 4096 would band in the shadows: one step at 2.2 is 6 of 255 there
STORED_GAMMA = 1.0  # light and stored values are the same: their mean is that of GoPro's data
SRGB_GAMMA = 0.0  # stands for the sRGB curve (IEC 61966-2-1), a line and a power of 2.4


@dataclass(frozen=True)
class CameraCurve:
    """A camera's response: `gamma` as a plain power, or `SRGB_GAMMA` for the sRGB curve.

    `gains` scale the light of red, green and blue; what passes 1 after that is clipped by
    `to_stored`. `highlight` multiplies the brightest light (the sensor's clipping hid how bright
    it was), rising from none at `knee` of the stored range.
    """

    gamma: float = 2.2
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    highlight: float = 1.0
    knee: float = 0.9

    def __post_init__(self) -> None:
        if self.gamma != SRGB_GAMMA and not 0.5 <= self.gamma <= 4.0:
            raise ValueError(f"gamma must be between 0.5 and 4, or 0 for sRGB, not {self.gamma}")
        if min(self.gains) <= 0 or self.highlight < 1 or not 0 <= self.knee < 1:
            raise ValueError("gains must be positive, highlight at least 1, knee within 0 to 1")

    def to_light(self, stored: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 -> (H, W, 3) float32, 0 to 1 and more where light was added."""
        values = np.arange(256, dtype=np.float64) / 255
        light = _decode(values, self.gamma)
        excess = np.clip((values - self.knee) / (1 - self.knee), 0, 1) ** 2
        light *= 1 + (self.highlight - 1) * excess
        table = np.stack([light * gain for gain in self.gains], axis=-1).astype(np.float32)
        return np.asarray(cv2.LUT(stored, table[None]), np.float32)

    def to_stored(self, light: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Float32 light of any shape -> uint8 of that shape, clipped and rounded once."""
        index = np.clip(light, 0.0, 1.0)
        index *= STEPS - 1
        index += 0.5
        return _encode_table(self.gamma)[index.astype(np.uint16)]


def _decode(stored: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """Stored values 0 to 1 -> light 0 to 1."""
    if gamma == SRGB_GAMMA:
        return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    return np.asarray(stored**gamma, np.float64)


@lru_cache(maxsize=64)
def _encode_table(gamma: float) -> NDArray[np.uint8]:
    """(65536,) uint8: the stored value of each step of light."""
    light = np.arange(STEPS, dtype=np.float64) / (STEPS - 1)
    if gamma == SRGB_GAMMA:
        stored = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    else:
        stored = light ** (1 / gamma)
    return (stored * 255 + 0.5).astype(np.uint8)
