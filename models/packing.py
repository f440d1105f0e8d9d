"""Planes to what the network reads, and what it writes back to planes: the one place for both.

Owns how samples are moved to a quarter of their resolution and back, the 4:2:0 view that the
network has of any layout, and what code values mean there. A picture keeps its own planes: only the
view is resampled, and only a residual is added to what the source delivered.

`pack` and `unpack` move a picture's own samples on the host, `features` and `residual_codes` give
them their meaning, in NumPy or inside a compiled step. `models.grouped` does all of it at once for
runtimes that compute in groups of four channels. Every user of the network goes one of these ways.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.network import MULTIPLE
from models.planes import PATCH, Array, Levels, channel_levels, chroma_shape, padded_length

BLOCKS = ((4, 4), (2, 2), (2, 2))
"""Rows and columns of a patch's Y, U and V samples in 4:2:0."""

Planes: TypeAlias = Sequence[np.ndarray]
"""A picture's planes, each (H, W)."""

# G, B, R in [0, 1] to Y, U, V of BT.709, for the view of a source that holds RGB.
_FROM_GBR = np.array([[0.7152, 0.0722, 0.2126], [-0.3854, 0.5, -0.1146], [-0.4542, -0.0458, 0.5]])


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a picture's planes lie and what their samples mean: what a step is compiled for.

    Attributes:
        shapes: (H, W) of each plane.
        subsampling: log2 reduction of the chroma, horizontal and vertical.
        bit_depth: bits per sample.
        full_range: whether black is code 0.
        matrix: how the planes make colours, by the number that video files give it; 0 is RGB.
    """

    shapes: tuple[tuple[int, ...], ...]
    subsampling: tuple[int, int] = (1, 1)
    bit_depth: int = 8
    full_range: bool = False
    matrix: int = 1

    @classmethod
    def yuv420(cls, height: int, width: int, levels: Levels | None = None) -> "Geometry":
        """Return the geometry of 4:2:0 frames of a size in pixels, of 8 bits by default."""
        levels = levels or Levels()
        shapes = ((height, width), *[chroma_shape(height, width)] * 2)
        return cls(shapes, (1, 1), levels.bit_depth, levels.full_range)

    @property
    def rgb(self) -> bool:
        """Whether the planes are G, B, R."""
        return self.matrix == 0

    @property
    def levels(self) -> Levels:
        """What code values mean."""
        return Levels(self.bit_depth, self.full_range)

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each plane's samples in a patch of 4x4 luma; 4:2:0 chroma has 2x2."""
        x, y = self.subsampling
        chroma = 4 >> y, 4 >> x
        return ((4, 4), chroma, chroma)[: len(self.shapes)]

    @property
    def channels(self) -> tuple[int, ...]:
        """Samples of each plane in a patch."""
        return tuple(rows * columns for rows, columns in self.blocks)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches, the picture's sides being padded to `MULTIPLE`."""
        height, width = self.shapes[0]
        return padded_length(height, MULTIPLE) // PATCH, padded_length(width, MULTIPLE) // PATCH

    @property
    def is_420(self) -> bool:
        """Whether the planes are Y, U and V with chroma of half the rows and columns."""
        return not self.rgb and self.blocks == BLOCKS

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples."""
        return np.dtype(np.uint8 if self.bit_depth == 8 else np.uint16)


def pack(pictures: Sequence[Planes], geometry: Geometry) -> np.ndarray:
    """Move pictures to (N, h, w, C): each plane's blocks one after the other, rows of one first.

    The type of the samples is kept, whatever it is. Sides are padded to h and w of `Geometry.grid`
    by repeating the border.
    """
    rows, columns = geometry.grid
    dtype = pictures[0][0].dtype
    packed = np.empty((len(pictures), rows, columns, sum(geometry.channels)), dtype)
    for picture, out in zip(pictures, packed, strict=True):
        for plane, block, part in zip(picture, geometry.blocks, _split(out, geometry), strict=True):
            whole = padded(plane, rows * block[0], columns * block[1])
            words = runs(whole, block[1]).reshape(rows, block[0], columns)
            runs(part, block[1])[...] = words.transpose(0, 2, 1)
    return packed


def unpack(packed: np.ndarray, geometry: Geometry) -> list[tuple[np.ndarray, ...]]:
    """Move (N, h, w, C) back to the planes of each picture, the padding cut off."""
    pictures = []
    for one in packed:
        arrays = []
        for (height, width), block, part in zip(
            geometry.shapes, geometry.blocks, _split(one, geometry), strict=True
        ):
            words = np.ascontiguousarray(runs(part, block[1]).transpose(0, 2, 1))
            plane = words.view(packed.dtype).reshape(
                one.shape[0] * block[0], one.shape[1] * block[1]
            )
            arrays.append(np.ascontiguousarray(plane[:height, :width]))
        pictures.append(tuple(arrays))
    return pictures


def features(values: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Float code values (N, h, w, C) to the features of their 4:2:0 view, (N, h, w, 24)."""
    offset, scale = channel_levels(geometry.levels)
    if geometry.is_420:
        return (values - offset) / scale
    if geometry.rgb or len(geometry.blocks) == 1:  # its chroma is around 0, not around grey
        grey = np.float32(geometry.levels.chroma[0])
        offset = offset - grey * (np.arange(len(offset)) >= 16)
    return (xp.matmul(values, _to_view(geometry)) - offset) / scale


def frame_features(picture: Planes, geometry: Geometry) -> np.ndarray:
    """Return the features of one picture, (1, h, w, 24) float32."""
    found: np.ndarray = features(pack([picture], geometry).astype(np.float32), geometry, np)
    return found


def residual_codes(residual: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Residual features (N, h, w, 24) to changes of the samples' code values, (N, h, w, C)."""
    changes = residual * channel_levels(geometry.levels)[1]
    return changes if geometry.is_420 else xp.matmul(changes, _to_source(geometry))


def corrected(values: Array, residual: Array, geometry: Geometry, xp: ModuleType) -> Array:
    """Code values plus the residual of their view, both float; rounded and clipped once."""
    changed = values + residual_codes(residual, geometry, xp)
    return xp.clip(xp.round(changed), 0, geometry.levels.peak)


def pack_420(y: Array, u: Array, v: Array, xp: ModuleType) -> Array:
    """Pack planes (N, H, W) and twice (N, H/2, W/2), inside a compiled step: (N, H/4, W/4, 24).

    H and W are multiples of 4; the type is kept.
    """
    blocks = zip((y, u, v), BLOCKS, strict=True)
    return xp.concatenate([_space_to_depth(plane, side, xp) for plane, (side, _) in blocks], -1)


def unpack_420(values: Array, xp: ModuleType) -> tuple[Array, Array, Array]:
    """Unpack (N, h, w, 24), inside a compiled step: (N, 4h, 4w) and twice (N, 2h, 2w)."""
    return (
        _depth_to_space(values[..., :16], 4, xp),
        _depth_to_space(values[..., 16:20], 2, xp),
        _depth_to_space(values[..., 20:], 2, xp),
    )


def _space_to_depth(plane: Array, block: int, xp: ModuleType) -> Array:
    n, h, w = plane.shape[0], plane.shape[1] // block, plane.shape[2] // block
    blocks = xp.transpose(xp.reshape(plane, (n, h, block, w, block)), (0, 1, 3, 2, 4))
    return xp.reshape(blocks, (n, h, w, block * block))


def _depth_to_space(values: Array, block: int, xp: ModuleType) -> Array:
    n, h, w = values.shape[:3]
    blocks = xp.transpose(xp.reshape(values, (n, h, w, block, block)), (0, 1, 3, 2, 4))
    return xp.reshape(blocks, (n, h * block, w * block))


def runs(samples: np.ndarray, length: int) -> NDArray[Any]:
    """View runs of samples as single words: moving those took a third of the time."""
    width = length * samples.itemsize
    return samples.view(f"u{width}" if width <= 8 else f"V{width}")


def padded(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeat the plane's last row and column up to this size."""
    rows, columns = height - plane.shape[0], width - plane.shape[1]
    if not rows and not columns:
        return plane
    return np.pad(plane, ((0, rows), (0, columns)), mode="edge")


def _split(packed: np.ndarray, geometry: Geometry) -> list[Any]:
    return np.split(packed, np.cumsum(geometry.channels)[:-1], axis=-1)


def _to_view(geometry: Geometry) -> np.ndarray:
    """Return (C, 24): samples of a source's patch to those of its view."""
    planes = np.eye(3)[:, : len(geometry.blocks)]
    return _patch_matrix(_FROM_GBR if geometry.rgb else planes, geometry.blocks, BLOCKS)


def _to_source(geometry: Geometry) -> np.ndarray:
    """Return (24, C): changes of a view's patch to those of the source's samples."""
    planes = np.eye(3)[: len(geometry.blocks)]
    mixed = np.linalg.inv(_FROM_GBR) if geometry.rgb else planes
    return _patch_matrix(mixed, BLOCKS, geometry.blocks)


def _patch_matrix(
    mixed: np.ndarray, have: Sequence[tuple[int, int]], want: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Mix planes by (planes wanted, planes there), each resampled to the other's block."""
    parts = [
        [
            weight * np.kron(_resampling(block[0], old[0]), _resampling(block[1], old[1])).T
            for block, weight in zip(want, weights, strict=True)
        ]
        for old, weights in zip(have, mixed.T, strict=True)
    ]
    return np.block(parts).astype(np.float32)


def _resampling(want: int, have: int) -> np.ndarray:
    """Return (want, have), which averages or repeats samples along one axis."""
    if want > have:
        return np.kron(np.eye(have), np.ones((want // have, 1)))
    return np.kron(np.eye(want), np.full((1, have // want), want / have))
