"""A camera's view without a camera: things that move, as blurred as a shutter leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import count

import av
import cv2
import numpy as np

from stream.frame import ColorTags, Discontinuity, Frame, Plane, Planes, StreamInfo
from stream.pixel_format import read_planes

_BT709 = ColorTags(range=1, primaries=1, transfer=1, matrix=1)
_SHUTTER = 0.5  # share of the frame interval that it is open
_GAMMA = 2.2
_SPRITE = 0.4  # of the shorter side


class SceneSource:
    """A wall of shapes that pans by, and a sign in front of it that swings from side to side.

    Both move at constant speed, so their blur, drawn in linear light, is that of an open shutter.
    Frame n is the same on every run.

    Args:
        width: In pixels, even.
        height: In pixels, even.
        frames: How many; None for no end.
        frame_rate: Frames per second.
    """

    def __init__(
        self,
        width: int = 1280,
        height: int = 720,
        frames: int | None = None,
        frame_rate: Fraction = Fraction(30),
    ) -> None:
        self.decode_failures = 0
        self._frames = frames
        self._speed = max(2, 2 * round(width / 100))  # pixels a frame; even, for the chroma
        self._period = self._speed * (2 * width // self._speed)
        wall = _blurred(_wall(self._period, height), self._speed * _SHUTTER, wrap=True)
        self._wall = _planes(np.concatenate([wall, wall[:, :width]], axis=1))
        side = 2 * int(min(width, height) * _SPRITE / 2)
        sign = _blurred(_sign(side), self._speed * _SHUTTER)
        self._sign = _planes(sign[..., :3])
        alpha = sign[..., 3]
        half = cv2.resize(alpha, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
        self._alphas = (alpha, half, half)
        self._side = side
        self.info = StreamInfo(
            name="test",
            width=width,
            height=height,
            pixel_format="yuv420p",
            source_pixel_format="yuv420p",
            time_base=1 / frame_rate,
            frame_rate=frame_rate,
            frames_estimate=frames,
            duration_s=None if frames is None else float(frames / frame_rate),
            color=_BT709,
        )

    def frames(self) -> Iterator[Frame]:
        """The scene, frame by frame; see `stream.stages.Source.frames`."""
        for index in count() if self._frames is None else range(self._frames):
            yield Frame(
                planes=self._picture(index),
                pts=index,
                time_base=self.info.time_base,
                duration=1,
                color=self.info.color,
                index=index,
                discontinuity=None if index else Discontinuity.START,
            )

    def stop(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing is held."""

    def _picture(self, index: int) -> Planes:
        width, height, side = self.info.width, self.info.height, self._side
        left = index * self._speed % self._period
        travel = max(1, (width - side) // self._speed)
        swing = travel - abs(index % (2 * travel) - travel)  # 0 .. travel .. 0
        row, column = (height - side) // 4 * 2, swing * self._speed
        arrays = []
        layers = zip(self._wall, self._sign, self._alphas, (1, 2, 2), strict=True)
        for wall, sign, alpha, scale in layers:
            plane = wall[:, left // scale : (left + width) // scale].copy()
            top, start = row // scale, column // scale
            place = plane[top : top + sign.shape[0], start : start + sign.shape[1]]
            place[:] = np.round(place + alpha * (sign.astype(np.float32) - place))
            arrays.append(plane)
        return Planes(tuple(arrays))


def _wall(width: int, height: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB of shapes, none across the left and right edges."""
    rng = np.random.default_rng(3)
    rows = np.linspace(90, 190, height)[:, None, None] * (0.9, 1.0, 1.1)
    wall = np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3)), np.uint8)
    for _ in range(90):
        size = int(height * rng.uniform(0.02, 0.15))
        x = int(rng.integers(2 * size, max(2 * size + 1, width - 2 * size)))
        y, colour = int(rng.integers(height)), rng.integers(12, 243, 3).tolist()
        if rng.random() < 0.5:
            cv2.circle(wall, (x, y), size, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(wall, (x - size, y - size // 2), (x + size, y + size // 2), colour, -1)
    for x in range(0, width - height // 4, max(1, height // 4)):
        place = (x + height // 40, int(rng.integers(height // 10, height)))
        _write(wall, str(x), place, height / 600)
    return wall


def _sign(side: int) -> np.ndarray:
    """(side, side, 4) uint8 RGBA: a disc with rays and a word, clear around it."""
    sign = np.zeros((side, side, 4), np.uint8)
    middle, radius = (side // 2, side // 2), int(0.42 * side)
    cv2.circle(sign, middle, radius, (250, 217, 51, 255), -1, cv2.LINE_AA)
    for angle in range(0, 360, 15):
        ray = (radius, radius), 0, angle, angle + 7
        cv2.ellipse(sign, middle, *ray, (204, 38, 26, 255), -1)
    cv2.circle(sign, middle, radius * 2 // 3, (250, 250, 250, 255), -1, cv2.LINE_AA)
    _write(sign, "deblur", (middle[0] - side // 4, middle[1] + side // 20), side / 250)
    return sign


def _write(picture: np.ndarray, text: str, place: tuple[int, int], scale: float) -> None:
    font, ink = cv2.FONT_HERSHEY_DUPLEX, (10, 10, 10, 255)
    cv2.putText(picture, text, place, font, scale, ink, 2, cv2.LINE_AA)


def _blurred(picture: np.ndarray, length: float, *, wrap: bool = False) -> np.ndarray:
    """Average uint8 over ``length`` pixels sideways, in linear light, colours weighted by alpha.

    Returns: float32 in [0, 1].
    """
    taps = max(1, round(length))
    border = cv2.BORDER_WRAP if wrap else cv2.BORDER_CONSTANT
    kernel = np.full((1, taps), 1 / taps, np.float32)
    padded = cv2.copyMakeBorder(picture, 0, 0, taps, taps, border).astype(np.float32) / 255
    light = padded[..., :3] ** _GAMMA
    if picture.shape[2] == 3:
        return cv2.filter2D(light, -1, kernel)[:, taps:-taps] ** (1 / _GAMMA)
    alpha = padded[..., 3:]
    mixed = cv2.filter2D(np.concatenate([light * alpha, alpha], axis=2), -1, kernel)
    colour = (mixed[..., :3] / np.maximum(mixed[..., 3:], 1e-6)) ** (1 / _GAMMA)
    return np.concatenate([colour, mixed[..., 3:]], axis=2)[:, taps:-taps]


def _planes(rgb: np.ndarray) -> tuple[Plane, ...]:
    """Y, U, V 4:2:0 of (H, W, 3) float32 RGB in [0, 1], BT.709, limited range."""
    codes = np.round(255 * rgb.clip(0, 1)).astype(np.uint8)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(codes), format="rgb24")
    return read_planes(
        picture.reformat(
            format="yuv420p",
            dst_colorspace="ITU709",
            src_color_range="JPEG",
            dst_color_range="MPEG",
            threads=1,
        )
    ).arrays
