"""The YUV 4:2:0 view that the network has of a frame: its channels, and what code values mean.

`models.packing` leads from planes to features and back.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
"""A NumPy array or a backend's tensor."""

CHANNELS = 24
"""Feature channels of one frame: 4x4 luma samples, then 2x2 of U and 2x2 of V."""

PATCH = 4
"""Side, in luma samples, of the patch that one feature vector describes."""

# Squared RGB error caused by a unit error in each plane, mean of the BT.601 and BT.709 matrices,
# per feature channel: a chroma sample covers four pixels.
_LUMA_WEIGHT = 3.0
_U_WEIGHT = 4.0 * 0.5 * ((1.772**2 + 0.344**2) + (1.856**2 + 0.187**2))
_V_WEIGHT = 4.0 * 0.5 * ((1.402**2 + 0.714**2) + (1.575**2 + 0.468**2))
RGB_ERROR_WEIGHTS = np.array(
    [_LUMA_WEIGHT] * 16 + [_U_WEIGHT] * 4 + [_V_WEIGHT] * 4, dtype=np.float32
) / (16 * 3.0)
"""(24,) weights: summed with squared feature errors they give the mean squared error in RGB."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What code values mean: nominal luma is [0, 1], nominal chroma [-0.5, 0.5].

    Attributes:
        bit_depth: bits per sample, 8 to 16.
        full_range: True for full ("JPEG") range, False for limited ("MPEG") range.
    """

    bit_depth: int = 8
    full_range: bool = False

    def __post_init__(self) -> None:
        if not 8 <= self.bit_depth <= 16:
            raise ValueError(f"bit depth is {self.bit_depth}; 8 to 16 are supported")

    @property
    def peak(self) -> int:
        """The largest code value."""
        return (1 << self.bit_depth) - 1

    @property
    def luma(self) -> tuple[float, float]:
        """Code value of black, and code values from black to white."""
        step = 1 << (self.bit_depth - 8)
        return (0.0, float(self.peak)) if self.full_range else (16.0 * step, 219.0 * step)

    @property
    def chroma(self) -> tuple[float, float]:
        """Code value of no colour, and code values across the nominal range."""
        step = 1 << (self.bit_depth - 8)
        return 128.0 * step, float(self.peak) if self.full_range else 224.0 * step


def chroma_shape(height: int, width: int) -> tuple[int, int]:
    """Height and width of a 4:2:0 chroma plane of a frame of this size."""
    return (height + 1) // 2, (width + 1) // 2


def padded_length(length: int, multiple: int) -> int:
    """The smallest multiple that is not below length."""
    return -(-length // multiple) * multiple


def channel_levels(levels: Levels) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale of each feature channel, (24,) float32: nominal = (code - offset) / scale.

    Luma is centred too, so that features are symmetric about zero.
    """
    black, luma_scale = levels.luma
    grey, chroma_scale = levels.chroma
    offset = np.array([black + luma_scale / 2] * 16 + [grey] * 8, np.float32)
    scale = np.array([luma_scale] * 16 + [chroma_scale] * 8, np.float32)
    return offset, scale
