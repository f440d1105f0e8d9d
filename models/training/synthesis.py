"""Clips of blurry and sharp frames made from sharp footage: the trainer's source of pairs.

`render_clip` is a pure function of a library's files and a seed, so that any process can make
any clip. Convention of the GoPro data (Nah et al. 2017): the sharp frame is the middle moment of
the exposure that the blurry frame averages, in linear light.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.degrade import add_noise, compress
from models.training.light import SRGB_GAMMA, CameraCurve
from models.training.motion import Floats, MotionPath, draw_path, still
from models.training.scenes import SceneLibrary, sharpness

SOFT = 250.0  # sharpness() below which a picture is no target


@dataclass(frozen=True)
class BlurSettings:
    """The distributions that clips are drawn from. Lengths are pixels of the clip.

    Shares are probabilities of 0 to 1; pairs are the ends of a uniform range unless said.
    """

    sharp_share: float = 0.09  # clips without any motion
    clean_share: float = 0.5  # of those, without noise and compression too
    length_median_px: float = 6.0  # of the way during one exposure, log-normal
    length_spread: float = 0.8  # standard deviation of its logarithm
    length_limit_px: float = 60.0
    exposure: tuple[float, float] = (0.25, 1.0)  # share of the frame interval
    tremor: tuple[float, float] = (0.0, 0.5)
    turn: tuple[float, float] = (0.0, 0.5)
    scale: tuple[float, float] = (0.35, 1.0)  # of the source's size
    oversampling: float = 1.5  # of the warped picture over the clip, where the source allows
    subframes: int = 49  # at most, for one exposure
    noise_share: float = 0.6
    noise: float = 1.2 / 255  # scale of the half-normal deviation, of stored mid-grey
    compression_share: float = 0.6
    quality: tuple[int, int] = (60, 98)  # JPEG
    highlight_share: float = 0.5
    highlight: tuple[float, float] = (1.0, 4.0)

    def __post_init__(self) -> None:
        for name in ("sharp", "clean", "noise", "compression", "highlight"):
            if not 0 <= getattr(self, f"{name}_share") <= 1:
                raise ValueError(f"{name}_share must be within 0 to 1")
        for name in ("exposure", "tremor", "turn", "scale", "quality", "highlight"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} must be (low, high), not {(low, high)}")
        if self.exposure[0] <= 0 or self.exposure[1] > 1 or self.scale[0] <= 0:
            raise ValueError("exposure must be within 0 to 1, scale above 0")
        if self.length_median_px < 0 or self.subframes < 1 or self.oversampling < 1:
            raise ValueError("lengths must not be negative, subframes and oversampling at least 1")


@dataclass(frozen=True)
class Clip:
    """Frames in order, blurry and sharp: each (T, H, W, 3) uint8 RGB."""

    blurry: NDArray[np.uint8]
    sharp: NDArray[np.uint8]


def render_clip(
    library: SceneLibrary,
    seed: int,
    *,
    height: int,
    width: int,
    frames: int,
    settings: BlurSettings | None = None,
) -> Clip:
    """The clip of this seed: same files, seed and arguments, same bytes."""
    settings = settings or BlurSettings()
    rng = np.random.default_rng(seed)
    exposure = float(rng.uniform(*settings.exposure))
    sharp = bool(rng.random() < settings.sharp_share)
    clean = sharp and bool(rng.random() < settings.clean_share)
    length = 0.0 if sharp else _draw_length(rng, settings)
    curve = _draw_curve(rng, settings)
    picture = _draw_picture(library, rng)
    path = still()
    if length:
        path = draw_path(
            rng,
            length_px=length,
            frames=frames,
            exposure=exposure,
            tremor=float(rng.uniform(*settings.tremor)),
            turn=float(rng.uniform(*settings.turn)),
        )
    view = _place(rng, picture, path, (height, width), frames, settings)
    light = curve.to_light(view.pixels)
    blurry = np.empty((frames, height, width, 3), np.float32)
    target = np.empty_like(blurry)
    for index in range(frames):
        times = subframe_times(view.path, index, exposure, settings.subframes)
        for step, matrix in enumerate(view.matrices(times)):
            moment = cv2.warpAffine(
                light, matrix, (width, height), flags=view.interpolation | cv2.WARP_INVERSE_MAP
            )
            if step == 0:
                blurry[index] = moment
            else:
                cv2.accumulate(moment, blurry[index])
            if step == len(times) // 2:
                target[index] = moment
        blurry[index] /= len(times)
    stored = curve.to_stored(target)
    if clean:
        return Clip(blurry=stored.copy(), sharp=stored)
    return Clip(blurry=_degrade(rng, blurry, curve, settings), sharp=stored)


def subframe_times(path: MotionPath, frame: int, exposure: float, limit: int) -> Floats:
    """The moments, in frames, of one exposure's sub-frames: an odd number, about one a pixel."""
    reach = np.diff(path.pose(frame + np.linspace(0, exposure, 9)), axis=0)
    reach[:, 2:] *= 300.0
    length = float(np.sqrt((reach**2).sum(1)).sum())
    count = 1 if length < 1e-3 else min(max(7, int(np.ceil(length)) | 1), limit | 1)
    return frame + (np.arange(count) + 0.5) / count * exposure


@dataclass(frozen=True)
class View:
    """The part of a picture that a path sees: pixels with their scale and the clip's centre.

    A position u of the clip, counted from its centre, lies at `zoom * (e^z R u + q) + centre`.
    `lever` is where the clip's centre lies from the axis of turns, in px of the clip.
    """

    pixels: NDArray[np.uint8]
    path: MotionPath
    zoom: float
    centre: tuple[float, float]
    lever: tuple[float, float]
    size: tuple[int, int]  # height, width
    interpolation: int

    def matrices(self, times: Floats) -> Floats:
        """(N, 2, 3): clip pixel -> picture pixel at each time."""
        linear, shift = _rigid(self.path.pose(times), self.lever)
        height, width = self.size
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        offset = self.zoom * (shift - linear @ middle) + np.array(self.centre)
        return np.concatenate([self.zoom * linear, offset[..., None]], axis=-1)


def _rigid(pose: Floats, lever: tuple[float, float]) -> tuple[Floats, Floats]:
    """Poses (N, 4) -> linear parts (N, 2, 2) and shifts (N, 2), in px of the clip."""
    scale = np.exp(pose[:, 3])
    cos, sin = np.cos(pose[:, 2]) * scale, np.sin(pose[:, 2]) * scale
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    arm = np.array(lever)
    return linear, pose[:, :2] + linear @ arm - arm


def _place(
    rng: np.random.Generator,
    picture: NDArray[np.uint8],
    path: MotionPath,
    size: tuple[int, int],
    frames: int,
    settings: BlurSettings,
) -> View:
    """Choose scale and place so that the path stays inside the picture; shorten it if it must."""
    height, width = size
    lever = (float(rng.uniform(-400, 400)), float(rng.uniform(-200, 200)))
    scale = float(np.exp(rng.uniform(*np.log(settings.scale))))
    room = np.array([picture.shape[1], picture.shape[0]], np.float64) - 8
    scale = max(scale, float((np.array([width, height]) / room).max()) * 1.02)
    times = np.linspace(0, frames, 8 * frames + 1)
    corners = np.array([[x * width / 2, y * height / 2] for x in (-1, 1) for y in (-1, 1)])
    for _ in range(40):
        linear, shift = _rigid(path.pose(times), lever)
        reached = np.einsum("nij,cj->nci", linear, corners) + shift[:, None]
        low, high = reached.min((0, 1)), reached.max((0, 1))
        if ((high - low) <= room * scale).all():
            break
        if scale < settings.scale[1]:
            scale = min(scale * 1.15, settings.scale[1])
        else:
            path = path.scaled(0.85)
    slack = room - (high - low) / scale
    corner = np.floor(rng.uniform(0, 1, 2) * np.maximum(slack, 0)).astype(int)
    extent = np.minimum(np.ceil((high - low) / scale).astype(int) + 8, room.astype(int) + 8)
    cut = picture[corner[1] : corner[1] + extent[1], corner[0] : corner[0] + extent[0]]
    zoom = min(settings.oversampling, 1 / scale)
    target = np.maximum(np.round(extent * scale * zoom).astype(int), 1)
    method = cv2.INTER_AREA if scale * zoom < 1 else cv2.INTER_LINEAR
    pixels = np.ascontiguousarray(cut)
    if tuple(target) != (cut.shape[1], cut.shape[0]):
        pixels = np.asarray(cv2.resize(cut, tuple(map(int, target)), interpolation=method))
    centre = (-low + 4 * scale) * zoom - 0.5
    return View(
        pixels=pixels,
        path=path,
        zoom=zoom,
        centre=(float(centre[0]), float(centre[1])),
        lever=lever,
        size=size,
        interpolation=cv2.INTER_LINEAR if zoom > 1.25 else cv2.INTER_CUBIC,
    )


def _draw_length(rng: np.random.Generator, settings: BlurSettings) -> float:
    length = settings.length_median_px * np.exp(settings.length_spread * rng.normal())
    return float(min(length, settings.length_limit_px))


def _draw_curve(rng: np.random.Generator, settings: BlurSettings) -> CameraCurve:
    gain = float(np.exp(rng.normal(0, 0.15)))
    tint = np.exp(rng.normal(0, 0.05, 3))
    red, green, blue = (float(gain * t) for t in tint)
    bright = rng.random() < settings.highlight_share
    return CameraCurve(
        gamma=SRGB_GAMMA if rng.random() < 0.4 else round(float(rng.uniform(1.8, 2.4)), 1),
        gains=(red, green, blue),
        highlight=float(rng.uniform(*settings.highlight)) if bright else 1.0,
    )


def _draw_picture(library: SceneLibrary, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A sharp still, in one of its eight orientations that keep text half the time."""
    for _ in range(8):
        scene = library.stills[int(rng.integers(len(library.stills)))]
        picture = library.picture(scene)
        if sharpness(picture) >= SOFT:
            break
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.15:
        picture = picture.transpose(1, 0, 2)
    return picture


def _degrade(
    rng: np.random.Generator,
    light: NDArray[np.float32],
    curve: CameraCurve,
    settings: BlurSettings,
) -> NDArray[np.uint8]:
    light = np.clip(light, 0, 1)
    if rng.random() < settings.noise_share:
        level = abs(float(rng.normal())) * settings.noise
        light = add_noise(rng, light, read=level * 0.25, shot=level)
    stored = curve.to_stored(light)
    if rng.random() < settings.compression_share:
        quality = int(rng.integers(settings.quality[0], settings.quality[1] + 1))
        return np.stack([compress(frame, quality) for frame in stored])
    return stored
