"""The YUV 4:2:0 view of a frame, and its quarter-resolution feature tensor.

Owns the packing that the network reads and writes, and the meaning of code values. Every
function takes the array namespace to work in: `numpy`, or `keras.ops` inside a compiled step.
"""

from dataclasses import dataclass
from types import ModuleType
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


def pad_plane(plane: Array, height: int, width: int, xp: ModuleType) -> Array:
    """Repeat the last row and column of (N, H, W) until it is (N, height, width)."""
    rows, columns = height - plane.shape[1], width - plane.shape[2]
    if rows:
        plane = xp.concatenate([plane, xp.repeat(plane[:, -1:], rows, axis=1)], axis=1)
    if columns:
        plane = xp.concatenate([plane, xp.repeat(plane[:, :, -1:], columns, axis=2)], axis=2)
    return plane


def space_to_depth(plane: Array, block: int, xp: ModuleType) -> Array:
    """(N, H, W) to (N, H / block, W / block, block * block), rows of a block first."""
    n, h, w = plane.shape[0], plane.shape[1] // block, plane.shape[2] // block
    blocks = xp.transpose(xp.reshape(plane, (n, h, block, w, block)), (0, 1, 3, 2, 4))
    return xp.reshape(blocks, (n, h, w, block * block))


def depth_to_space(features: Array, block: int, xp: ModuleType) -> Array:
    """The inverse of `space_to_depth`: (N, h, w, block * block) to (N, h * block, w * block)."""
    n, h, w = features.shape[:3]
    blocks = xp.transpose(xp.reshape(features, (n, h, w, block, block)), (0, 1, 3, 2, 4))
    return xp.reshape(blocks, (n, h * block, w * block))


def pack(y: Array, u: Array, v: Array, xp: ModuleType) -> Array:
    """Planes (N, H, W), (N, H/2, W/2), (N, H/2, W/2) to features (N, H/4, W/4, 24).

    H and W are multiples of 4; the type is kept.
    """
    parts = [space_to_depth(y, 4, xp), space_to_depth(u, 2, xp), space_to_depth(v, 2, xp)]
    return xp.concatenate(parts, axis=-1)


def unpack(features: Array, xp: ModuleType) -> tuple[Array, Array, Array]:
    """Features (N, h, w, 24) to planes (N, 4h, 4w), (N, 2h, 2w), (N, 2h, 2w)."""
    return (
        depth_to_space(features[..., :16], 4, xp),
        depth_to_space(features[..., 16:20], 2, xp),
        depth_to_space(features[..., 20:], 2, xp),
    )


def channel_levels(levels: Levels) -> tuple[np.ndarray, np.ndarray]:
    """Offset and scale of each feature channel, (24,) float32: nominal = (code - offset) / scale.

    Luma is centred too, so that features are symmetric about zero.
    """
    black, luma_scale = levels.luma
    grey, chroma_scale = levels.chroma
    offset = np.array([black + luma_scale / 2] * 16 + [grey] * 8, np.float32)
    scale = np.array([luma_scale] * 16 + [chroma_scale] * 8, np.float32)
    return offset, scale
