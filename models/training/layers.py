"""Objects that move on their own in front of a scene: cut-outs with soft edges.

A layer is composited at each moment, so that occlusion is right within an exposure: what it
uncovers shows, and its blurred edge mixes with what lies behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.camera import Camera
from models.training.light import CameraCurve
from models.training.motion import Floats, MotionPath
from models.training.views import Light, resize

EDGE_PX = 0.6  # deviation of the soft edge, in px of the clip: a lens's, not a feather


@dataclass(frozen=True)
class Layer:
    """A cut-out over a view: (h, w, 4) float32, light times coverage, then coverage."""

    light: Light
    camera: Camera

    def cover(self, behind: Light, matrix: Floats) -> None:
        """Put the layer over (H, W, 3) light; `matrix` is its camera's at that moment."""
        box = self._box(matrix)
        if box is None:
            return
        left, top, right, bottom = box
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ np.array([left, top])
        front = cv2.warpAffine(
            self.light,
            matrix,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
        part = behind[top:bottom, left:right]
        part *= 1 - front[..., 3:]
        part += front[..., :3]

    def reach_px(self, start: float, stop: float) -> float:
        """Length of the way that the layer covers between two times."""
        matrices = self.camera.matrices(np.linspace(start, stop, 9)) / self.camera.zoom
        return float(np.linalg.norm(np.diff(matrices[..., 2], axis=0), axis=-1).sum())

    def _box(self, matrix: Floats) -> tuple[int, int, int, int] | None:
        """The clip's pixels that the layer touches: left, top, right, bottom; None if none."""
        height, width = self.light.shape[:2]
        back = cv2.invertAffineTransform(matrix)
        corners = np.array([[-1, -1, 1], [width, -1, 1], [-1, height, 1], [width, height, 1]])
        seen = corners @ back.T
        limit = np.array(self.camera.size[::-1])
        left, top = (int(v) for v in np.clip(np.floor(seen.min(0)), 0, limit))
        right, bottom = (int(v) for v in np.clip(np.ceil(seen.max(0)) + 1, 0, limit))
        return (left, top, right, bottom) if right > left and bottom > top else None


def draw_layer(
    rng: np.random.Generator,
    picture: NDArray[np.uint8],
    path: MotionPath,
    curve: CameraCurve,
    *,
    size: tuple[int, int],
    duration: float,
    oversampling: float,
) -> Layer:
    """An object of random shape cut from (H, W, 3) uint8, inside the view in the clip's middle.

    `path` is the motion of what the camera sees of the object, for a `duration` in frames; `size`
    the clip's (height, width).
    """
    reference = min(size)
    side = float(np.exp(rng.uniform(np.log(0.12), np.log(0.9)))) * reference
    mask = draw_mask(rng, max(12, round(side * oversampling)))
    height, width = mask.shape
    scale = float(np.exp(rng.uniform(np.log(0.35), np.log(1.0)))) * oversampling
    available = min(picture.shape[0] / height, picture.shape[1] / width)
    scale = float(np.clip(scale, 1 / available, oversampling)) if available > 0 else 1.0
    extent = np.ceil(np.array([width, height]) / scale).astype(int)
    slack = np.maximum(np.array([picture.shape[1], picture.shape[0]]) - extent, 0)
    x, y = (int(v) for v in rng.uniform(0, 1, 2) * slack)
    cut = resize(picture[y : y + extent[1], x : x + extent[0]], scale)
    texture = np.asarray(cv2.resize(cut, (width, height)), np.uint8)
    coverage = cv2.GaussianBlur(mask, (0, 0), EDGE_PX * oversampling)[..., None]
    shade = np.float32(np.exp(rng.normal(0, 0.3)))
    light = np.concatenate([curve.to_light(texture) * shade * coverage, coverage], axis=-1)
    place = rng.uniform(-0.45, 0.45, 2) * np.array(size[::-1])
    middle = (np.array([width, height]) - 1) / 2 - place * oversampling
    camera = Camera(
        path.from_middle(duration),
        size,
        zoom=oversampling,
        centre=(float(middle[0]), float(middle[1])),
    )
    return Layer(np.ascontiguousarray(light, np.float32), camera)


def draw_mask(rng: np.random.Generator, side: int) -> Light:
    """A random shape, (h, w) float32 of 0 or 1, with an empty rim; the longer side is `side`."""
    kind = rng.choice(("blob", "polygon", "bar", "figure"), p=(0.35, 0.25, 0.15, 0.25))
    aspect = float(rng.uniform(0.4, 1.0))
    if kind == "bar":
        aspect = float(rng.uniform(0.03, 0.15))
    short = max(8, round(side * aspect))
    height, width = (side, short) if rng.random() < 0.6 or kind == "figure" else (short, side)
    mask = np.zeros((height, width), np.uint8)
    centre, half = np.array([width, height]) / 2, np.array([width, height]) / 2 - 3
    if kind == "bar":
        mask[3:-3, 3:-3] = 255
    elif kind == "figure":
        _draw_figure(rng, mask)
    else:
        corners = int(rng.integers(3, 7)) if kind == "polygon" else 48
        angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + rng.uniform(0, 2 * np.pi)
        radius = np.full(corners, 0.9)
        if kind == "polygon":
            radius = rng.uniform(0.7, 1.0, corners)
        else:
            for wave in range(2, 7):
                radius += rng.normal(0, 0.25 / wave) * np.cos(wave * angle + rng.uniform(0, 6.28))
            radius /= radius.max()
        outline = np.stack([np.cos(angle), np.sin(angle)], -1) * radius[:, None] * half + centre
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    return np.asarray(mask / np.float32(255), np.float32)


def _draw_figure(rng: np.random.Generator, mask: NDArray[np.uint8]) -> None:
    """A standing figure: head, trunk, arms and legs, roughly."""
    height, width = mask.shape
    unit = height / 8  # a head is an eighth of a person
    middle = width / 2

    def limb(x0: float, y0: float, x1: float, y1: float, thick: float) -> None:
        ends = [tuple(int(v) for v in (x, y)) for x, y in ((x0, y0), (x1, y1))]
        cv2.line(mask, ends[0], ends[1], 255, max(2, int(thick)), cv2.LINE_AA)

    cv2.circle(mask, (int(middle), int(unit + 3)), max(2, int(unit * 0.55)), 255, -1, cv2.LINE_AA)
    shoulder, hip = 2.0 * unit + 3, 4.2 * unit
    limb(middle, shoulder, middle, hip, 1.3 * unit)
    spread = min(middle - 4, 2.2 * unit)
    for turn in (-1, 1):
        hand = middle + turn * spread * float(rng.uniform(0.3, 1.0))
        limb(middle + turn * 0.5 * unit, shoulder, hand, shoulder + unit * 2, 0.45 * unit)
        foot = middle + turn * spread * float(rng.uniform(0.1, 0.9))
        limb(middle + turn * 0.3 * unit, hip, foot, height - 5, 0.6 * unit)
