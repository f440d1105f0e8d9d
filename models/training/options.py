"""A training run as numbers: what was asked for, how far it is, and the rates that follow."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from models.training.batches import BatchShape
from models.training.pool import PoolSettings
from models.training.validation import ValidationShape

FRESH_MODEL = "tiny"
FRESH_RATE, FINE_TUNING_RATE = 3e-3, 1e-3
FRESH_WARMUP, FINE_TUNING_WARMUP = 200, 20
"""Steps: weights that are good already need only wait for the optimiser's second moments."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """A run.

    Attributes:
        out: the run's folder.
        model: a name of the registry, for its configuration; None for that of `start`, or the
            smallest.
        pool: what to train on.
        batch: how much of it at once.
        validation: what to be judged by.
        steps: length of the run.
        minutes: or its length in time; then the learning rate depends on the clock, and a resumed
            run is exact in its data but not in its rate.
        start: model or weights file to begin from, None for fresh weights. A larger `model` grows
            from it (`models.training.grow`).
        optimizer: of `models.training.optimizers.OPTIMIZERS`.
        loss: of `models.training.losses.LOSSES`.
        learning_rate: at its highest, None for the usual one of fresh or of trained weights.
        warmup: steps until then, at most a tenth of the run; None likewise.
        average: momentum of the moving average of the weights that is scored and shipped, at most;
            in a short run it spans a tenth of the steps.
        precision: that the layers compute in, "float32" or "bfloat16"; weights and their moments
            are float32 in any case. "auto" is bfloat16 on a GPU with JAX.
        log_every, checkpoint_every, validate_every: in steps.
        workers: processes that render clips.
    """

    out: Path
    model: str | None
    pool: PoolSettings
    batch: BatchShape = field(default_factory=BatchShape)
    validation: ValidationShape = field(default_factory=ValidationShape)
    steps: int = 20_000
    minutes: float | None = None
    start: str | None = None
    optimizer: str = "muon"
    loss: str = "rmse"
    learning_rate: float | None = None
    warmup: int | None = None
    average: float = 0.999
    precision: str = "auto"
    log_every: int = 50
    checkpoint_every: int = 500
    validate_every: int = 2000
    workers: int = 1

    def __post_init__(self) -> None:
        intervals = (self.log_every, self.checkpoint_every, self.validate_every)
        if min(self.steps, *intervals, self.workers) < 1:
            raise ValueError("steps, intervals and workers must be at least 1")
        if self.minutes is not None and self.minutes <= 0:
            raise ValueError("minutes must be above 0")
        if self.peak_rate <= 0:
            raise ValueError(f"a learning rate of {self.peak_rate} learns nothing")
        if self.batch.crop > self.pool.size or self.batch.frames > self.pool.frames:
            raise ValueError(
                f"{self.batch.frames} frames of {self.batch.crop} px can't be cut from clips of "
                f"{self.pool.frames} frames of {self.pool.size} px"
            )

    @property
    def peak_rate(self) -> float:
        """The highest learning rate."""
        usual = FINE_TUNING_RATE if self.start else FRESH_RATE
        return usual if self.learning_rate is None else self.learning_rate

    @property
    def warmup_steps(self) -> int:
        """Steps over which the learning rate rises to that."""
        usual = FINE_TUNING_WARMUP if self.start else FRESH_WARMUP
        wanted = usual if self.warmup is None else self.warmup
        return max(1, wanted if self.minutes is not None else min(wanted, self.steps // 10))

    @property
    def momentum(self) -> float:
        """What the moving average of the weights keeps of itself at each step."""
        if self.minutes is not None:
            return self.average
        return max(0.0, min(self.average, 1 - 10 / self.steps))


@dataclass(slots=True)
class Progress:
    """Where a run is: saved with every checkpoint.

    Attributes:
        step: steps done.
        seconds: time they took, over all sittings.
        waited: seconds of these that were spent waiting for data.
        best_gain: best validation gain so far, in dB.
        losses: of the steps since the last line of the log.
    """

    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    best_gain: float = -math.inf
    losses: list[float] = field(default_factory=list)


def share_done(progress: Progress, options: TrainOptions) -> float:
    """How much of the run is done, 1 at its end."""
    if options.minutes is not None:
        return min(1.0, progress.seconds / (60 * options.minutes))
    return min(1.0, progress.step / options.steps)


def learning_rate(progress: Progress, options: TrainOptions) -> float:
    """Half a cosine down to 1 % at the end of the run, under a linear warm-up."""
    cosine = 0.5 * (1 + math.cos(math.pi * share_done(progress, options)))
    ramp = min(1.0, (progress.step + 1) / options.warmup_steps)
    return options.peak_rate * ramp * (0.01 + 0.99 * cosine)
