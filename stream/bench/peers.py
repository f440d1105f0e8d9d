"""(f): classical deblurring beside the model, in one run: time per frame, PSNR on real pairs.

Deconvolution needs the blur's kernel. It is given the best of a few straight ones for each frame,
chosen by its score against the sharp reference: help that no user has, so its scores are an upper
bound. Its time is that of one kernel.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.clips import Clip
from models.evaluation.metrics import psnr
from stream.frame import Frame
from stream.inference.engine import Engine, geometry_of
from stream.rgb import RGB, from_rgb, to_rgb

Picture = NDArray[np.uint8]
Luma = NDArray[np.float32]

LENGTHS, ANGLES = (5, 9, 15), (0, 45, 90, 135)
"""Pixels and degrees of the kernels that are tried."""

NOISE_TO_SIGNAL = 0.01
"""Of the Wiener filter."""

ITERATIONS = 8
"""Of Richardson and Lucy's method."""

REPEATS, PATIENCE_S = 3, 10.0
"""Of everything that is timed: the quickest counts. What has taken that long is not repeated."""


@dataclass(slots=True)
class Score:
    """What one method did on all pairs."""

    milliseconds: list[float] = field(default_factory=list)
    per_megapixel: list[float] = field(default_factory=list)
    decibels: list[float] = field(default_factory=list)

    def add(self, seconds: float, decibels: float, pixels: int) -> None:
        """Count one frame."""
        self.milliseconds.append(1e3 * seconds)
        self.per_megapixel.append(1e9 * seconds / pixels)
        self.decibels.append(decibels)


def measure_peers(
    engines: Sequence[tuple[str, Engine]], pairs: Sequence[tuple[Clip, Clip]]
) -> list[dict[str, Any]]:
    """Score and time named engines and each classical method on pairs of stills, state fresh.

    Rows of `name`, `ms_per_frame`, `ms_per_megapixel`, `psnr`, `gain` over doing nothing, the
    engines first.
    """
    methods: list[tuple[str, Callable[[Picture, Picture], tuple[float, float]]]] = [
        *((name, partial(_engine_timed, engine)) for name, engine in engines),
        ("unsharp mask", lambda blurry, sharp: _timed(lambda: unsharp(blurry), sharp)),
        ("Wiener, kernel given", partial(_best_kernel, wiener)),
        ("Richardson-Lucy, kernel given", partial(_best_kernel, richardson_lucy)),
    ]
    scores = [Score() for _ in methods]
    untouched: list[float] = []
    sizes: set[tuple[int, ...]] = set()
    for blurry_clip, sharp_clip in pairs:
        for blurry, sharp in zip(blurry_clip.frames(), sharp_clip.frames(), strict=True):
            if blurry.shape not in sizes:
                sizes.add(blurry.shape)
                for _, engine in engines:
                    with_engine(engine, blurry)  # compiles for a new size
            untouched.append(psnr(sharp, blurry))
            for score, (_, method) in zip(scores, methods, strict=True):
                score.add(*method(blurry, sharp), blurry.shape[0] * blurry.shape[1])
    before = statistics.fmean(untouched)
    return [
        {
            "name": name,
            "ms_per_frame": round(statistics.median(score.milliseconds), 3),
            "ms_per_megapixel": round(statistics.median(score.per_megapixel), 3),
            "psnr": round(statistics.fmean(score.decibels), 3),
            "gain": round(statistics.fmean(score.decibels) - before, 3),
        }
        for (name, _), score in zip(methods, scores, strict=True)
    ]


def _engine_timed(engine: Engine, blurry: Picture, sharp: Picture) -> tuple[float, float]:
    return _timed(lambda: with_engine(engine, blurry), sharp)


def with_engine(engine: Engine, rgb: Picture) -> Picture:
    """One RGB frame through an engine with a fresh state; rounded once, in RGB."""
    frame = Frame(planes=from_rgb(rgb), pts=0, time_base=Fraction(1), color=RGB)
    (result,) = engine.run([frame.planes], [None], geometry_of(frame.planes, RGB))
    return to_rgb(frame.replace(planes=result.planes))


def unsharp(rgb: Picture, *, sigma: float = 2.0, amount: float = 0.5) -> Picture:
    """Add `amount` of what a Gaussian of `sigma` pixels takes away."""
    soft = cv2.GaussianBlur(rgb, (0, 0), sigma)
    return np.asarray(cv2.addWeighted(rgb, 1 + amount, soft, -amount, 0), np.uint8)


def motion_kernel(length: int, angle: float) -> Luma:
    """A straight line of `length` pixels, antialiased, that sums to 1."""
    size, scale = length | 1, 16
    large = np.zeros((size * scale, size * scale), np.uint8)
    centre = size * scale / 2
    reach = (length - 1) * scale / 2
    dx, dy = reach * np.cos(np.radians(angle)), reach * np.sin(np.radians(angle))
    ends = [(round(centre + s * dx), round(centre + s * dy)) for s in (-1, 1)]
    cv2.line(large, ends[0], ends[1], 255, scale)
    kernel = cv2.resize(large.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(kernel / kernel.sum(), np.float32)


def wiener(luma: Luma, kernel: Luma) -> Luma:
    """Wiener's filter with a flat noise-to-signal ratio, borders reflected."""
    pad = 2 * kernel.shape[0]
    padded = cv2.copyMakeBorder(luma, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    transfer = np.fft.rfft2(kernel, padded.shape)
    filtered = np.conj(transfer) / (np.abs(transfer) ** 2 + NOISE_TO_SIGNAL)
    restored = np.fft.irfft2(np.fft.rfft2(padded) * filtered, padded.shape)
    shift = pad - kernel.shape[0] // 2
    height, width = luma.shape
    return restored[shift : shift + height, shift : shift + width].astype(np.float32)


def richardson_lucy(luma: Luma, kernel: Luma) -> Luma:
    """Richardson 1972, Lucy 1974."""
    estimate, flipped = luma, cv2.flip(kernel, -1)
    for _ in range(ITERATIONS):
        ratio = luma / np.maximum(cv2.filter2D(estimate, -1, kernel), 1.0)
        estimate = np.asarray(estimate * cv2.filter2D(ratio, -1, flipped), np.float32)
    return estimate


def _best_kernel(
    method: Callable[[Luma, Luma], Luma], blurry: Picture, sharp: Picture
) -> tuple[float, float]:
    def tried(length: int, angle: int) -> tuple[float, float]:
        kernel = motion_kernel(length, angle)
        return _timed(lambda: _on_luma(method, blurry, kernel), sharp)

    tries = [tried(*shape) for shape in product(LENGTHS, ANGLES)]
    return statistics.median(seconds for seconds, _ in tries), max(score for _, score in tries)


def _on_luma(method: Callable[[Luma, Luma], Luma], rgb: Picture, kernel: Luma) -> Picture:
    """Apply to the luma, and add its change to every channel."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    change = method(luma, kernel) - luma
    return np.clip(np.rint(rgb + change[..., None]), 0, 255).astype(np.uint8)


def _timed(restore: Callable[[], Picture], sharp: Picture) -> tuple[float, float]:
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < PATIENCE_S:
        began = time.perf_counter()
        restored = restore()
        seconds.append(time.perf_counter() - began)
    return min(seconds), psnr(sharp, restored)
