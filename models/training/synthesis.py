"""Clips of blurry and sharp frames made from sharp footage: the trainer's source of pairs.

`render_clip` is a pure function of a library's files and a seed, so that any process can make
any clip. Convention of the GoPro data (Nah et al. 2017): the sharp frame is the middle moment of
the exposure that the blurry frame averages. A camera's mean is one of light; that of the
GoPro data is one of stored values, and a share of the clips follow it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.degrade import add_noise, compress_frames, compress_video
from models.training.flow import place_flow_view
from models.training.layers import Layer, draw_layer
from models.training.light import SRGB_GAMMA, STORED_GAMMA, CameraCurve
from models.training.motion import (
    Floats,
    MotionPath,
    burst_spans,
    draw_path,
    steady_spans,
    still,
)
from models.training.pictures import SOFT, sharpness
from models.training.procedural import draw_scene
from models.training.scenes import SceneLibrary
from models.training.settings import BlurSettings
from models.training.views import Light, SceneView, place_view

LEAST_SUBFRAMES = 7
VIDEO_TRIALS = 3  # of random videos and places, before a still takes their place
STILL_PX = 0.02  # a way so short in one exposure leaves no blur


@dataclass(frozen=True)
class Clip:
    """Frames in order, blurry and sharp: each (T, H, W, 3) uint8 RGB."""

    blurry: NDArray[np.uint8]
    sharp: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.blurry.shape != self.sharp.shape or self.blurry.ndim != 4:
            raise ValueError(f"blurry {self.blurry.shape} and sharp {self.sharp.shape} differ")


@dataclass(frozen=True)
class ClipPlan:
    """What is drawn first for a clip; `instant` means frames of no duration, hence no blur."""

    size: tuple[int, int]
    spans: Floats  # start and stop of each exposure, (T, 2) in the time of paths
    exposure: float
    length_px: float
    instant: bool
    clean: bool
    lens_px: float
    subframes: int
    curve: CameraCurve

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return len(self.spans)

    @property
    def duration(self) -> float:
        """When the last exposure ends; at least a frame."""
        return max(1.0, float(self.spans[-1, 1]))


def render_clip(
    library: SceneLibrary,
    seed: int,
    *,
    height: int,
    width: int,
    frames: int,
    settings: BlurSettings | None = None,
) -> Clip:
    """The clip of this seed: same files, seed and arguments, same bytes in any process."""
    settings = settings or BlurSettings()
    rng = np.random.default_rng(seed)
    plan = _draw_plan(rng, settings, (height, width), frames)
    path = _draw_path(rng, plan, settings, plan.length_px)
    view, plan = _draw_view(rng, library, plan, settings, path)
    layers = _draw_layers(rng, library, plan, settings, path)
    exposures = [_expose(view, layers, plan, span) for span in plan.spans]
    middles = np.stack([_softened(middle, plan.lens_px) for _, middle in exposures])
    sharp = plan.curve.to_stored(middles)
    if plan.clean:
        return Clip(blurry=sharp.copy(), sharp=sharp)
    light = np.stack([_softened(mean, plan.lens_px) for mean, _ in exposures])
    return Clip(blurry=_degrade(rng, light, plan.curve, settings), sharp=sharp)


def subframe_times(start: float, stop: float, reach_px: float, limit: int) -> Floats:
    """The moments of one exposure's sub-frames, in frames: an odd number, about one a pixel."""
    if reach_px < STILL_PX:
        return np.array([(start + stop) / 2])
    count = min(max(LEAST_SUBFRAMES, int(np.ceil(reach_px))), limit) | 1
    return start + (np.arange(count) + 0.5) / count * (stop - start)


def _expose(
    view: SceneView, layers: list[Layer], plan: ClipPlan, span: Floats
) -> tuple[Light, Light]:
    """One frame's light: its mean over the exposure, and that of the middle moment."""
    start, stop = map(float, span)
    movers: list[SceneView | Layer] = [view, *layers]
    reach = max(mover.reach_px(start, stop) for mover in movers)
    times = subframe_times(start, stop, 0.0 if plan.instant else reach, plan.subframes)
    total: Light | None = None
    middle: Light | None = None
    poses = [layer.camera.matrices(times) for layer in layers]
    for step, moment in enumerate(view.moments(times)):
        for layer, matrices in zip(layers, poses, strict=True):
            layer.cover(moment, matrices[step])
        np.maximum(moment, 0, out=moment)  # cubic taps undershoot beside highlights
        if plan.curve.gamma == STORED_GAMMA:
            np.minimum(moment, 1, out=moment)  # a mean of stored values is one of clipped ones
        if step == len(times) // 2:
            middle = moment.copy()
        if total is None:
            total = moment
        else:
            cv2.accumulate(moment, total)
    if total is None or middle is None:
        raise ValueError("an exposure needs at least one moment")
    total /= len(times)
    return total, middle


def _softened(light: Light, deviation_px: float) -> Light:
    """Light as the lens and the sensor spread it: the same whether it has moved or not."""
    if not deviation_px:
        return light
    return np.asarray(cv2.GaussianBlur(light, (0, 0), deviation_px), np.float32)


def _draw_plan(
    rng: np.random.Generator, settings: BlurSettings, size: tuple[int, int], frames: int
) -> ClipPlan:
    if frames < 1 or min(size) < 16:
        raise ValueError(f"a clip of {frames} frames of {size[1]}x{size[0]} px is too small")
    full = rng.random() < settings.full_exposure_share
    exposure = 1.0 if full else float(rng.uniform(*settings.exposure))
    length = settings.length_median_px * np.exp(settings.length_spread * rng.normal())
    instant = bool(rng.random() < settings.sharp_share)
    if instant and rng.random() < 0.5:
        length = 0.0
    instant = instant or length < STILL_PX
    bright = rng.random() < settings.highlight_share
    gain = float(np.exp(rng.normal(0, 0.15)))
    lens_px = float(rng.uniform(*settings.lens_px))
    soft = rng.random() < settings.lens_share
    gains = [gain * float(tint) for tint in np.exp(rng.normal(0, 0.05, 3))]
    gamma = SRGB_GAMMA if rng.random() < 0.4 else round(float(rng.uniform(1.8, 2.4)), 1)
    highlight = float(rng.uniform(*settings.highlight)) if bright else 1.0
    subframes = settings.subframes
    if rng.random() < settings.stored_share:
        gamma, highlight = STORED_GAMMA, 1.0
        gains = [each / max(gains) for each in gains]
        if rng.random() < 1 / 3:  # a camera of 240 frames a second gives as few
            subframes = int(rng.integers(LEAST_SUBFRAMES, 14))
    spans = steady_spans(frames, exposure)
    if rng.random() < settings.burst_share:
        speeds = {"slow": settings.burst_slow, "fast": settings.burst_fast}
        spans = burst_spans(rng, frames, exposure, **speeds)
    red, green, blue = gains
    return ClipPlan(
        size=size,
        spans=spans,
        exposure=exposure,
        length_px=float(min(length, settings.length_limit_px)),
        instant=instant,
        clean=instant and bool(rng.random() < settings.clean_share),
        lens_px=lens_px if soft else 0.0,
        subframes=subframes,
        curve=CameraCurve(gamma=gamma, gains=(red, green, blue), highlight=highlight),
    )


def _draw_path(
    rng: np.random.Generator, plan: ClipPlan, settings: BlurSettings, length_px: float
) -> MotionPath:
    if length_px < STILL_PX:
        return still()
    return draw_path(
        rng,
        length_px=length_px,
        frames=plan.frames,
        exposure=plan.exposure,
        tremor=float(rng.uniform(*settings.tremor)),
        turn=float(rng.uniform(*settings.turn)),
    )


def _draw_view(
    rng: np.random.Generator,
    library: SceneLibrary,
    plan: ClipPlan,
    settings: BlurSettings,
    path: MotionPath,
) -> tuple[SceneView, ClipPlan]:
    """The scene behind all layers, a video's own motion or a still under the path, and the plan.

    A video's frames are exposed round its real ones, which are the sharp targets: there a burst is
    one of longer and shorter exposures.
    """
    steady = replace(plan, spans=_centred(plan))
    moving = bool(library.videos) and rng.random() < settings.video_share
    for _ in range(VIDEO_TRIALS if moving else 0):
        scene = library.videos[int(rng.integers(len(library.videos)))]
        shaken = rng.random() < settings.video_shake_share
        seen = place_flow_view(
            rng,
            library.footage(scene),
            path.scaled(float(rng.uniform(0.3, 1.0)) if shaken else 0.0),
            plan.curve,
            size=plan.size,
            frames=plan.frames,
            exposure=plan.exposure,
            length_px=plan.length_px,
            softest=SOFT,
        )
        if seen is not None:
            return seen, steady
    deep = rng.random() < settings.parallax_share
    view = place_view(
        rng,
        _draw_picture(rng, library, settings, plan.size),
        path,
        plan.curve,
        size=plan.size,
        duration=plan.duration,
        scale=settings.scale,
        oversampling=settings.oversampling,
        parallax=settings.parallax if deep else 0.0,
    )
    return view, plan


def _centred(plan: ClipPlan) -> Floats:
    """Exposures of the same lengths, a frame at most, each in the middle of its steady one."""
    lengths = np.minimum(plan.spans[:, 1] - plan.spans[:, 0], plan.exposure)
    middles = np.arange(plan.frames) + plan.exposure / 2
    return np.stack([middles - lengths / 2, middles + lengths / 2], axis=-1)


def _draw_picture(
    rng: np.random.Generator,
    library: SceneLibrary,
    settings: BlurSettings,
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """A sharp still, mirrored half the time and rarely on its side; (H, W, 3) uint8."""
    picture: NDArray[np.uint8] | None = None
    drawn = rng.random() < settings.procedural_share
    for _ in range(0 if drawn else 8):
        if library.videos and (not library.stills or rng.random() < settings.video_still_share):
            footage = library.footage(library.videos[int(rng.integers(len(library.videos)))])
            index = int(rng.integers(len(footage.frames)))
            if footage.sharpness[index] >= SOFT:
                picture = np.asarray(footage.frames[index])
        else:
            found = library.picture(library.stills[int(rng.integers(len(library.stills)))])
            picture = found if sharpness(found) >= SOFT else None
        if picture is not None and min(picture.shape[:2]) > max(size):
            break
    if picture is None:
        picture = draw_scene(rng, max(480, 2 * size[0]), max(640, 2 * size[1]))
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.15:
        picture = picture.transpose(1, 0, 2)
    return picture


def _draw_layers(
    rng: np.random.Generator,
    library: SceneLibrary,
    plan: ClipPlan,
    settings: BlurSettings,
    path: MotionPath,
) -> list[Layer]:
    """Objects in front: each follows the camera from its own distance and moves by itself."""
    if rng.random() >= settings.layer_share:
        return []
    layers = []
    for _ in range(int(rng.integers(1, settings.layers + 1)) if settings.layers else 0):
        nearness = float(rng.uniform(0.6, 1.8))
        own = plan.length_px * float(rng.uniform(0.0, 1.5))
        motion = path.scaled(nearness).plus(_draw_path(rng, plan, settings, own))
        longest = motion.extent(plan.frames, plan.exposure)
        if longest > settings.length_limit_px:
            motion = motion.scaled(settings.length_limit_px / longest)
        layers.append(
            draw_layer(
                rng,
                _draw_picture(rng, library, settings, plan.size),
                motion,
                plan.curve,
                size=plan.size,
                duration=plan.duration,
                oversampling=settings.oversampling,
            )
        )
    return layers


def _degrade(
    rng: np.random.Generator, light: Light, curve: CameraCurve, settings: BlurSettings
) -> NDArray[np.uint8]:
    """Clip, store and wear (T, H, W, 3) light as a camera and a codec do."""
    light = np.clip(light, 0, 1)
    if rng.random() < settings.noise_share:
        level = abs(float(rng.normal())) * settings.noise
        light = add_noise(rng, light, read=level * 0.25, shot=level)
    stored = curve.to_stored(light)
    if rng.random() < settings.compression_share:
        if rng.random() < settings.codec_share:
            return compress_video(stored, int(rng.integers(settings.crf[0], settings.crf[1] + 1)))
        return compress_frames(
            stored, int(rng.integers(settings.quality[0], settings.quality[1] + 1))
        )
    return stored
