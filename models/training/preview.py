"""A look at synthetic clips: a sheet of pictures for the eye, figures for comparison.

What `deblur train --preview` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.drawing import captioned
from models.evaluation.metrics import IDENTICAL_DB, psnr
from models.training.synthesis import Clip

SHOWN_FRAMES = 3
ENLARGED = 2
PERCENTILES = (5, 25, 50, 75, 95)
BAND = (0.03, 0.4)  # cycles a pixel in which the spectrum's slope is fitted


@dataclass(frozen=True)
class Statistics:
    """PSNR of blurry against sharp frames, and how steeply both spectra fall.

    psnr_db: (N,) per frame, equal frames as `IDENTICAL_DB`; slopes: mean exponent of amplitude over
    frequency (about -1 in sharp natural pictures, lower in blurry ones).
    """

    psnr_db: NDArray[np.float64]
    slope_blurry: float
    slope_sharp: float

    def describe(self) -> str:
        """Two lines for people."""
        unequal = self.psnr_db[self.psnr_db < IDENTICAL_DB]
        if not unequal.size:
            return f"{self.psnr_db.size} frames, all equal to their sharp ones"
        values = " ".join(f"{p}%: {v:.1f}" for p, v in _percentiles(unequal))
        counts, edges = np.histogram(unequal, bins=np.arange(14, 54, 4))
        bars = " ".join(f"{low:.0f}+:{n}" for low, n in zip(edges[:-1], counts, strict=True))
        return (
            f"PSNR mean {unequal.mean():.2f} dB ({values}) over {unequal.size} frames, "
            f"{self.psnr_db.size - unequal.size} equal; histogram {bars}\n"
            f"spectrum slope {self.slope_blurry:.2f} blurry, {self.slope_sharp:.2f} sharp"
        )


def draw_sheet(path: Path, clips: Mapping[str, Clip]) -> None:
    """Write a PNG with a row per named clip; all of one length and size, at least one."""
    rows = []
    for name, clip in clips.items():
        cells = []
        for blurry, sharp in zip(clip.blurry, clip.sharp, strict=True):
            quality = psnr(sharp, blurry)
            cells.append(captioned(blurry, f"{name}: {quality:.1f} dB", enlarged=ENLARGED))
            cells.append(captioned(sharp, "sharp", enlarged=ENLARGED))
        rows.append(np.concatenate(cells, axis=1))
    sheet = np.concatenate(rows, axis=0)
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise OSError(f"{path}: the preview could not be written; give a .png in a writable folder")


def statistics(pairs: Iterable[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> Statistics:
    """Measure (blurry, sharp) frames, each (H, W, 3) uint8 RGB; at least one pair."""
    quality, slopes = [], []
    for blurry, sharp in pairs:
        quality.append(psnr(sharp, blurry))
        slopes.append((spectrum_slope(blurry), spectrum_slope(sharp)))
    if not quality:
        raise ValueError("no pair of frames to measure")
    mean = np.nanmean(np.array(slopes), axis=0)
    return Statistics(np.array(quality), float(mean[0]), float(mean[1]))


def spectrum_slope(frame: NDArray[np.uint8]) -> float:
    """Exponent of luma's radially averaged amplitude spectrum; NaN for a blank frame."""
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float64)
    window = np.hanning(luma.shape[0])[:, None] * np.hanning(luma.shape[1])
    power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
    radius = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in luma.shape), indexing="ij"))
    edges = np.geomspace(*BAND, 13)
    which = np.digitize(radius, edges)
    rings = np.array([power[which == k].mean() for k in range(1, edges.size)])
    if rings.min() <= 0:
        return float("nan")
    middle = np.sqrt(edges[1:] * edges[:-1])
    return float(np.polyfit(np.log(middle), 0.5 * np.log(rings), 1)[0])


def _percentiles(values: NDArray[np.float64]) -> Iterable[tuple[int, float]]:
    return zip(PERCENTILES, (float(v) for v in np.percentile(values, PERCENTILES)), strict=True)
