"""The full-frame protocol: RGB, 8 bits, rounded once, no cropping, no alignment.

A clip's score is the mean over its frames and a set's score the mean over all its frames; the
score of doing nothing stands beside each.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from models.color import add_residual, rgb_to_planes
from models.errors import ClipError
from models.evaluation.clips import Clip
from models.evaluation.metrics import flicker, psnr, ssim
from models.network import NetworkConfig, State, frame_features, initial_state, residual_planes
from models.planes import Levels

if TYPE_CHECKING:
    import keras

Restore: TypeAlias = Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
"""Consecutive (H, W, 3) uint8 RGB frames to as many deblurred ones."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the frames of a clip or a set; flicker is None without consecutive frames.

    `in` is the blurry input as it is, `out` the network's output. PSNR in dB, flicker in code
    values. sharp_psnr is of the output for the sharp clip as the input.
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

    @property
    def gain(self) -> float:
        """What the network adds to doing nothing, in dB."""
        return self.psnr_out - self.psnr_in


def restore(
    network: "keras.Model", config: NetworkConfig, frames: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """Deblur consecutive (H, W, 3) uint8 RGB frames one at a time; a new size begins a fresh state.

    The residual is made on the 4:2:0 view of each frame and added to its RGB samples.
    """
    levels = Levels()
    state: State | None = None
    for rgb in frames:
        height, width = rgb.shape[:2]
        y, u, v = (plane[None] for plane in rgb_to_planes(rgb, levels))
        features = frame_features(y, u, v, levels)
        if state is None or state.previous.shape != features.shape:
            state = initial_state(config, 1, height, width)
        residual, hidden = network.predict_on_batch([features, *state])
        state = State(features, hidden)
        planes = residual_planes(np.asarray(residual), height, width, levels)
        yield add_residual(rgb, (planes[0][0], planes[1][0], planes[2][0]), levels)


def restorer(network: "keras.Model", config: NetworkConfig) -> Restore:
    """What a network does to a clip, as `score_clip` wants it."""
    return partial(restore, network, config)


def score_clip(
    restored: Restore,
    blurry: Clip,
    sharp: Clip,
    *,
    harm: bool = False,
    observe: Callable[[int, np.ndarray], None] | None = None,
) -> Scores:
    """Scores of one clip; with `harm`, also how far a sharp input is left alone.

    `restored` gives a clip's frames deblurred, of `restorer` or another kind of model. It may read
    ahead, and is used for one clip at a time.

    `observe` is shown each output with its index. ClipError if the two differ in length or frame
    size.
    """
    rows: list[tuple[float, ...]] = []
    flickers: list[tuple[float, float]] = []
    last: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    inputs, outputs = blurry.frames(), restored(blurry.frames())
    for source, output, target in zip_longest(inputs, outputs, sharp.frames()):
        if source is None or target is None or source.shape != target.shape:
            raise ClipError(f"{blurry.name}: blurry and sharp frames differ in number or size")
        if observe:
            observe(len(rows), output)
        rows.append(
            tuple(score(target, frame) for score in (psnr, ssim) for frame in (source, output))
        )
        if last:
            reference = (last[2], target)
            flickers.append(
                (flicker(reference, (last[0], source)), flicker(reference, (last[1], output)))
            )
        last = source, output, target
    if not rows:
        raise ClipError(f"{blurry.name} has no frames")
    psnr_in, psnr_out, ssim_in, ssim_out = map(fmean, zip(*rows, strict=True))
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
    )
