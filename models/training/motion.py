"""Camera and object paths: smooth curves of position, turn and zoom over a clip's time.

Time is counted in frames: frame t's exposure begins at t. Positions are in pixels of the clip.
Knows nothing of images.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TURN_RADIUS_PX = 300.0  # where a turn or zoom of 1 rad or 1 e-fold counts as 300 px of motion


@dataclass(frozen=True)
class MotionPath:
    """A sum of a steady drift and sine curves, the pose being (x px, y px, turn rad, log zoom).

    drift: (4,) a frame; amplitude and phase: (K, 4); frequency: (K,) cycles a frame; origin: (4,)
    is added to all poses.
    """

    drift: Floats
    amplitude: Floats
    phase: Floats
    frequency: Floats
    origin: Floats = field(default_factory=lambda: np.zeros(4))

    def __post_init__(self) -> None:
        waves = self.frequency.shape[0]
        if self.drift.shape != (4,) or self.amplitude.shape != (waves, 4):
            raise ValueError("a path needs drift (4,), amplitude and phase (K, 4), frequency (K,)")
        if self.phase.shape != self.amplitude.shape:
            raise ValueError(f"phase {self.phase.shape} and amplitude {self.amplitude.shape}")

    def pose(self, time: Floats) -> Floats:
        """The pose at each time of (N,), in frames: (N, 4)."""
        angle = 2 * np.pi * time[:, None, None] * self.frequency[None, :, None] + self.phase
        waves = (np.sin(angle) * self.amplitude).sum(1)
        return np.asarray(self.origin + time[:, None] * self.drift + waves)

    def scaled(self, factor: float) -> MotionPath:
        """The same curve with every excursion `factor` times as large."""
        return replace(
            self,
            drift=self.drift * factor,
            amplitude=self.amplitude * factor,
            origin=self.origin * factor,
        )

    def plus(self, other: MotionPath) -> MotionPath:
        """The sum of both motions."""
        return MotionPath(
            drift=self.drift + other.drift,
            amplitude=np.concatenate([self.amplitude, other.amplitude]),
            phase=np.concatenate([self.phase, other.phase]),
            frequency=np.concatenate([self.frequency, other.frequency]),
            origin=self.origin + other.origin,
        )

    def from_middle(self, duration: float) -> MotionPath:
        """The same motion, with the pose zero in the middle of so many frames' time."""
        middle = self.pose(np.array([duration / 2]))[0]
        return replace(self, origin=self.origin - middle)

    def extent(self, frames: int, exposure: float) -> float:
        """Mean length in px of the way covered during one exposure, turn and zoom included."""
        share = np.linspace(0.0, exposure, 9)
        time = (np.arange(frames)[:, None] + share).ravel()
        pose = self.pose(time).reshape(frames, share.size, 4)
        pose[..., 2:] *= TURN_RADIUS_PX
        steps = np.sqrt((np.diff(pose, axis=1) ** 2).sum(-1))
        return float(steps.sum(1).mean())


def still() -> MotionPath:
    """The path that never moves."""
    return MotionPath(np.zeros(4), np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0))


def draw_path(
    rng: np.random.Generator,
    *,
    length_px: float,
    frames: int,
    exposure: float,
    tremor: float,
    turn: float,
) -> MotionPath:
    """A random path that covers `length_px` in one exposure, on average over the clip.

    A hand-held camera sways slowly (periods of 12 to 100 frames: half a second and more at
    25-30 fps) and trembles (2 to 10 frames, 3-15 Hz); a pan adds a steady drift, mostly
    horizontal. `tremor` (0 to 1) is the share of trembling, `turn` the share of the motion that
    is rotation and zoom.
    """
    slow, fast = 3, 3
    frequency = np.concatenate(
        [np.exp(rng.uniform(np.log(0.01), np.log(0.08), slow)), rng.uniform(0.1, 0.5, fast)]
    )
    weight = np.array([1.0, 1.0, 0.55, 0.55])  # pans are mostly horizontal; turns before zooms
    heading = rng.normal(size=4) * weight
    speed = rng.normal(size=(slow + fast, 4)) * weight
    share = np.concatenate([np.full(slow, 1 - tremor), np.full(fast, tremor)])
    speed *= share[:, None] / np.sqrt(slow)
    drift = heading * rng.uniform(0.0, 1.5) * (1 - tremor)
    rigid = np.array([1.0, 1.0, turn / TURN_RADIUS_PX, 0.5 * turn / TURN_RADIUS_PX])
    path = MotionPath(
        drift=drift * rigid,
        amplitude=speed * rigid / (2 * np.pi * frequency[:, None]),
        phase=rng.uniform(0, 2 * np.pi, size=(slow + fast, 4)),
        frequency=frequency,
    )
    return path.scaled(length_px / max(path.extent(frames, exposure), 1e-6))


def steady_spans(frames: int, exposure: float) -> Floats:
    """Start and stop of each exposure in the path's time, (T, 2): one frame after the other."""
    starts = np.arange(frames, dtype=np.float64)
    return np.stack([starts, starts + exposure], axis=-1)


def burst_spans(
    rng: np.random.Generator,
    frames: int,
    exposure: float,
    *,
    slow: tuple[float, float],
    fast: tuple[float, float],
) -> Floats:
    """Spans of a path that is run through at a speed that changes from frame to frame, (T, 2).

    A hand shakes in bursts: half the time the speed swings between a slow and a fast one within a
    few frames, and half the time each frame has its own, a quarter of them nearly none.
    """
    if rng.random() < 0.5:
        low, high = rng.uniform(*slow), rng.uniform(*fast)
        period = rng.uniform(4, 16)
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frames) / period + rng.random()))
        speeds = low + (high - low) * swing ** rng.uniform(0.6, 1.6)
    else:
        speeds = rng.uniform(0.15, 2.0, frames)
        speeds[rng.random(frames) < 0.25] *= 0.05
    starts = np.concatenate([[0.0], np.cumsum(speeds)[:-1]])
    return np.stack([starts, starts + exposure * speeds], axis=-1)
