"""What a camera sees of a sharp still at a moment: a flat picture, or one with depth.

Works in light (float32). The path always stays inside the picture: no border is ever shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.camera import Camera
from models.training.light import CameraCurve
from models.training.motion import Floats, MotionPath

FINE_ZOOM = 1.25  # picture px per clip px from which bilinear taps keep the clip sharp
MARGIN = 4  # picture px kept round the path for the interpolation's taps

Light = NDArray[np.float32]


class SceneView(Protocol):
    """Anything that can be seen at a moment."""

    def moments(self, times: Floats) -> Iterator[Light]:
        """The light at each time in frames: (H, W, 3) float32, the caller's to write to."""
        ...

    def reach_px(self, start: float, stop: float) -> float:
        """How far its content moves between two times, at most."""
        ...


@dataclass(frozen=True)
class Depth:
    """A smooth field over a picture by which nearer parts move further than the camera's mean.

    field: (h, w) float32, extra motion as a share of the camera's shift; `step` picture px lie
    between its samples.
    """

    field: Light
    step: float


@dataclass(frozen=True)
class StillView:
    """A camera over a still: light is (h, w, 3) float32 around the whole path."""

    light: Light
    camera: Camera
    interpolation: int
    depth: Depth | None = None

    def moments(self, times: Floats) -> Iterator[Light]:
        """The light at each time in frames: (H, W, 3) float32."""
        shifts = self.camera.path.pose(times)[:, :2] * self.camera.zoom
        for matrix, shift in zip(self.camera.matrices(times), shifts, strict=True):
            if self.depth is None:
                yield self._flat(matrix)
            else:
                yield self._deep(matrix, shift, self.depth)

    def reach_px(self, start: float, stop: float) -> float:
        """How far its content moves between two times, at most."""
        near = 1.0 if self.depth is None else 1.0 + float(np.abs(self.depth.field).max())
        return self.camera.reach_px(start, stop) * near

    def _flat(self, matrix: Floats) -> Light:
        flags = self.interpolation | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(self.light, matrix, self.camera.size[::-1], flags=flags)
        return np.asarray(seen, np.float32)

    def _deep(self, matrix: Floats, shift: Floats, depth: Depth) -> Light:
        column, row = grid(matrix, self.camera.size)
        nearness = cv2.warpAffine(
            depth.field,
            matrix / depth.step,
            self.camera.size[::-1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        column += nearness * np.float32(shift[0])
        row += nearness * np.float32(shift[1])
        return np.asarray(cv2.remap(self.light, column, row, self.interpolation), np.float32)


def grid(matrix: Floats, size: tuple[int, int]) -> tuple[Light, Light]:
    """The picture columns and rows, each (H, W) float32, that an affine (2, 3) sees."""
    height, width = size
    x = np.arange(width, dtype=np.float64)
    y = np.arange(height, dtype=np.float64)[:, None]
    column = matrix[0, 0] * x + (matrix[0, 1] * y + matrix[0, 2])
    row = matrix[1, 0] * x + (matrix[1, 1] * y + matrix[1, 2])
    return column.astype(np.float32), row.astype(np.float32)


def sampled(duration: float) -> Floats:
    """Times at which a path is looked at: eight a frame, from 0 to its end."""
    return np.linspace(0, duration, 8 * int(np.ceil(duration)) + 1)


def place_view(
    rng: np.random.Generator,
    picture: NDArray[np.uint8],
    path: MotionPath,
    curve: CameraCurve,
    *,
    size: tuple[int, int],
    duration: float,
    scale: tuple[float, float],
    oversampling: float,
    parallax: float,
) -> StillView:
    """Choose a scale and a place in (H, W, 3) uint8 so that the path stays inside the picture.

    `scale` is the range of the clip's size over the picture's. A path too long for the picture
    is first given more room by a larger scale, then shortened. `parallax` is the largest extra
    motion of near parts, as a share of the camera's; 0 for a flat picture. `duration` is the time
    in which the path is followed, in frames.
    """
    lever = (float(rng.uniform(-400, 400)), float(rng.uniform(-200, 200)))
    times = sampled(duration)
    path = path.from_middle(duration)
    chosen = float(np.exp(rng.uniform(*np.log(scale))))
    room = np.array([picture.shape[1], picture.shape[0]], np.float64) - 2 * MARGIN
    chosen = max(chosen, float((np.array(size[::-1]) / room).max()) * 1.02)
    camera = Camera(path, size, lever=lever)
    for _ in range(60):
        near = parallax * np.abs(camera.path.pose(times)[:, :2]).max(0)
        low, high = camera.bounds(times)
        low, high = low - near, high + near
        if ((high - low) <= room * chosen).all():
            break
        if chosen < scale[1]:
            chosen = min(chosen * 1.15, scale[1])
        else:
            camera = replace(camera, path=camera.path.scaled(0.85))
    extent = np.minimum(np.ceil((high - low) / chosen) + 2 * MARGIN, room + 2 * MARGIN).astype(int)
    corner = _corner(rng, picture, extent)
    cut = picture[corner[1] : corner[1] + extent[1], corner[0] : corner[0] + extent[0]]
    zoom = min(oversampling, 1 / chosen)
    pixels = resize(cut, chosen * zoom)
    centre = (-low + MARGIN * chosen) * zoom - 0.5
    return StillView(
        light=curve.to_light(pixels),
        camera=replace(camera, zoom=zoom, centre=(float(centre[0]), float(centre[1]))),
        interpolation=cv2.INTER_LINEAR if zoom > FINE_ZOOM else cv2.INTER_CUBIC,
        depth=_draw_depth(rng, camera, pixels.shape[:2], parallax, duration) if parallax else None,
    )


def resize(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Resize (H, W, 3) uint8 by `scale`, without aliasing where it shrinks."""
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    if (height, width) == picture.shape[:2]:
        return np.ascontiguousarray(picture)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)


def _corner(
    rng: np.random.Generator, picture: NDArray[np.uint8], extent: NDArray[np.int_]
) -> tuple[int, int]:
    """A place for a cut of `extent` (width, height): of three, the one with most detail.

    Blank sky and out-of-focus ground teach little; a third of the places is left to chance.
    """
    slack = np.maximum(np.array([picture.shape[1], picture.shape[0]]) - extent, 0)
    places = [tuple(map(int, rng.uniform(0, 1, 2) * slack)) for _ in range(3)]
    if rng.random() < 1 / 3:
        return places[0][0], places[0][1]
    details = []
    for x, y in places:
        sample = picture[y : y + extent[1] : 3, x : x + extent[0] : 3, 1].astype(np.int16)
        details.append(np.abs(np.diff(sample, axis=0)).mean())
    best = places[int(np.argmax(details))]
    return best[0], best[1]


def _draw_depth(
    rng: np.random.Generator,
    camera: Camera,
    size: tuple[int, ...],
    parallax: float,
    duration: float,
) -> Depth:
    """A random depth field for a picture of `size`, gentle enough to stretch it by a quarter.

    Stretched further, the target would look soft. Slopes are in px of the clip.
    """
    step = 16.0
    height, width = (int(np.ceil(side / step)) + 2 for side in size[:2])
    coarse = rng.uniform(-1, 1, (3, 4)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    ground = np.linspace(-0.5, 1.0, height, dtype=np.float32)[:, None]  # it comes nearer
    field = np.asarray(np.clip(smooth, -1, 1) + ground, np.float32)
    field = field / np.abs(field).max()
    shift = camera.path.pose(sampled(duration))[:, :2]
    slope = max(float(np.abs(np.diff(field, axis=axis)).max(initial=0)) for axis in (0, 1)) / step
    steepest = slope * camera.zoom * float(np.abs(shift).max())
    amount = min(parallax * float(rng.uniform(0.3, 1.0)), 0.25 / max(steepest, 1e-9))
    return Depth(field * np.float32(amount), step)
