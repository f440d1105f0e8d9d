"""The full-frame protocol: RGB, 8 bits, rounded once, no cropping, no alignment.

A clip's score is the mean over its frames and a set's score the mean over all its frames; the
score of doing nothing stands beside each.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise, zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from models.alignment import Past, aligned, reduced_luma
from models.color import add_residual, rgb_to_planes
from models.errors import ClipError
from models.evaluation.clips import Clip
from models.evaluation.metrics import flicker, psnr, ssim, ssimulacra2
from models.network import NetworkConfig, fresh_hidden
from models.packing import Geometry, frame_features, residual_codes, unpack
from models.planes import Levels

if TYPE_CHECKING:
    import keras

Restore: TypeAlias = Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
"""Consecutive (H, W, 3) uint8 RGB frames to as many deblurred ones."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the frames of a clip or a set; flicker is None without consecutive frames.

    `in` is the blurry input as it is, `out` the network's output. PSNR in dB, flicker in code
    values. sharp_psnr is of the output for the sharp clip as the input. by_frame has each frame's
    psnr_in and psnr_out, in order. ssimulacra2 is None where nobody asked for it.
    """

    name: str
    frames: int
    psnr_in: float
    psnr_out: float
    ssim_in: float
    ssim_out: float
    flicker_in: float | None
    flicker_out: float | None
    sharp_psnr: float | None = None
    by_frame: tuple[tuple[float, float], ...] = ()
    ssimulacra2_in: float | None = None
    ssimulacra2_out: float | None = None

    @property
    def gain(self) -> float:
        """What the network adds to doing nothing, in dB."""
        return self.psnr_out - self.psnr_in


def restore(
    network: "keras.Model",
    config: NetworkConfig,
    frames: Iterable[np.ndarray],
    *,
    look_ahead: bool = False,
) -> Iterator[np.ndarray]:
    """Deblur consecutive (H, W, 3) uint8 RGB frames one at a time; a new size begins a fresh state.

    The residual is made on the 4:2:0 view of each frame and added to its RGB samples. `network` is
    one of LOOK_AHEAD neighbours; without `look_ahead` it is shown no next frame.
    """
    levels = Levels()
    past: Past | None = None
    hidden = np.zeros(0, np.float32)
    for rgb, later in pairwise(chain(map(_view, frames), [None])):
        assert rgb is not None  # noqa: S101 - only the last is
        current, height, width = rgb.features, *rgb.pixels.shape[:2]
        same = later is not None and later.small.shape == rgb.small.shape
        if past is None or past.small.shape != rgb.small.shape:
            past, hidden = None, fresh_hidden(config, 1, height, width)
        reference = aligned(rgb.small, past.small, past.blend) if past else None
        following = look_ahead and same and later and aligned(rgb.small, later.small, later.planes)
        joined = [current]
        for planes in (reference, following):
            shown = frame_features(planes, rgb.geometry) if planes else current
            joined.append(shown - current)
        residual, hidden = network.predict_on_batch([np.concatenate(joined, -1), hidden])
        codes = residual_codes(np.asarray(residual, np.float32), rgb.geometry, np)
        y, u, v = changes = unpack(codes, rgb.geometry)[0]
        made = [
            np.clip(np.rint(plane + change), 0, levels.peak).astype(np.uint8)
            for plane, change in zip(rgb.planes, changes, strict=True)
        ]
        past = Past.of(rgb.small, rgb.planes, made)
        yield add_residual(rgb.pixels, (y, u, v), levels)


class _View(NamedTuple):
    """An RGB frame, its planes and how they lie, their reduced luma and features."""

    pixels: np.ndarray
    planes: list[np.ndarray]
    geometry: Geometry
    small: np.ndarray
    features: np.ndarray


def _view(rgb: np.ndarray) -> _View:
    planes, geometry = list(rgb_to_planes(rgb, Levels())), Geometry.yuv420(*rgb.shape[:2])
    small = reduced_luma(planes[0], geometry.bit_depth)
    return _View(rgb, planes, geometry, small, frame_features(planes, geometry))


def restorer(network: "keras.Model", config: NetworkConfig, *, look_ahead: bool = False) -> Restore:
    """What a network does to a clip, as `score_clip` wants it."""
    return partial(restore, network, config, look_ahead=look_ahead)


def score_clip(
    restored: Restore,
    blurry: Clip,
    sharp: Clip,
    *,
    harm: bool = False,
    perceptual: bool = False,
    observe: Callable[[int, np.ndarray], None] | None = None,
) -> Scores:
    """Scores of one clip; with `harm`, also how far a sharp input is left alone.

    With `perceptual`, SSIMULACRA 2 too.

    `restored` gives a clip's frames deblurred, of `restorer` or another kind of model. It may read
    ahead, and is used for one clip at a time.

    `observe` is shown each output with its index. ClipError if the two differ in length or frame
    size.
    """
    metrics = (psnr, ssim, ssimulacra2) if perceptual else (psnr, ssim)
    rows: list[tuple[float, ...]] = []
    flickers: list[tuple[float, float]] = []
    last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    inputs, outputs = blurry.frames(), restored(blurry.frames())
    for source, output, target in zip_longest(inputs, outputs, sharp.frames()):
        if source is None or target is None or source.shape != target.shape:
            raise ClipError(f"{blurry.name}: blurry and sharp frames differ in number or size")
        if observe:
            observe(len(rows), output)
        rows.append(tuple(score(target, frame) for score in metrics for frame in (source, output)))
        if last:
            reference = (last[2], target)
            flickers.append(
                (flicker(reference, (last[0], source)), flicker(reference, (last[1], output)))
            )
        last = source, output, target
    if not rows:
        raise ClipError(f"{blurry.name} has no frames")
    psnr_in, psnr_out, ssim_in, ssim_out, *seen = map(fmean, zip(*rows, strict=True))
    kept = (
        [
            psnr(target, same)
            for target, same in zip(sharp.frames(), restored(sharp.frames()), strict=True)
        ]
        if harm
        else []
    )
    return Scores(
        blurry.name, len(rows), psnr_in, psnr_out, ssim_in, ssim_out,
        fmean(f[0] for f in flickers) if flickers else None,
        fmean(f[1] for f in flickers) if flickers else None,
        fmean(kept) if kept else None,
        tuple((row[0], row[1]) for row in rows),
        *seen,
    )  # fmt: skip


def mean_scores(name: str, scores: list[Scores]) -> Scores:
    """The mean over all frames of several clips; over all changes between frames for flicker."""

    def mean(field: str, changes: int = 0) -> float | None:
        known = [score for score in scores if getattr(score, field) is not None]
        if not known:
            return None
        values = [getattr(score, field) for score in known]
        return fmean(values, [score.frames - changes for score in known])

    return Scores(
        name=name,
        frames=sum(score.frames for score in scores),
        psnr_in=mean("psnr_in") or 0.0,
        psnr_out=mean("psnr_out") or 0.0,
        ssim_in=mean("ssim_in") or 0.0,
        ssim_out=mean("ssim_out") or 0.0,
        flicker_in=mean("flicker_in", changes=1),
        flicker_out=mean("flicker_out", changes=1),
        sharp_psnr=mean("sharp_psnr"),
        ssimulacra2_in=mean("ssimulacra2_in"),
        ssimulacra2_out=mean("ssimulacra2_out"),
        by_frame=tuple(chain.from_iterable(score.by_frame for score in scores)),
    )
