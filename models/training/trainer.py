"""The training run, from options to weights, read from top to bottom.

A run is a folder: `checkpoint.npz` holds everything that the next step depends on, so a run that
was killed goes on as if it had not been; `weights.npz` holds the newest averaged weights and
`best.npz` those with the best full-frame validation score. Works on every backend of Keras.
"""

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from models import planes as yuv
from models import registry
from models.errors import TrainingError
from models.network import NetworkConfig, build
from models.training.batches import BatchShape, ClipBatches
from models.training.losses import root_mean_square_error
from models.training.pool import ClipPool, PoolSettings
from models.training.validation import render_validation, validate


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """A run.

    Attributes:
        out: the run's folder.
        model: a name of the registry, for its configuration.
        pool: what to train on.
        batch: how much of it at once.
        steps: length of the run.
        minutes: or its length in time; then the learning rate depends on the clock, and a resumed
            run is exact in its data but not in its rate.
        start: model or weights file to begin from, None for fresh weights.
        learning_rate: at its highest.
        warmup: steps until then.
        average: momentum of the moving average of the weights that is scored and shipped.
        checkpoint_every, validate_every: in steps.
        workers: processes that render clips.
    """

    out: Path
    model: str
    pool: PoolSettings
    batch: BatchShape = field(default_factory=BatchShape)
    steps: int = 20_000
    minutes: float | None = None
    start: str | None = None
    learning_rate: float = 1e-3
    warmup: int = 200
    average: float = 0.999
    checkpoint_every: int = 200
    validate_every: int = 1000
    workers: int = 1

    def __post_init__(self) -> None:
        if min(self.steps, self.warmup, self.checkpoint_every, self.validate_every) < 1:
            raise ValueError("steps and intervals must be at least 1")
        if self.minutes is not None and self.minutes <= 0:
            raise ValueError("minutes must be above 0")
        if self.batch.crop > self.pool.size or self.batch.frames > self.pool.frames:
            raise ValueError(f"a batch of {self.batch} can't be cut from clips of {self.pool}")


@dataclass(slots=True)
class Progress:
    """Where a run is: saved with every checkpoint."""

    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    best_gain: float = -math.inf


class Unrolled(keras.Model):  # type: ignore[misc]
    """A network over a whole clip: (N, T, h, w, 24) uint8 codes to nominal restored features."""

    def __init__(self, network: keras.Model, config: NetworkConfig) -> None:
        super().__init__()
        self.network = network
        self.hidden = config.hidden

    def call(self, clips: Any) -> Any:
        """Run the network frame by frame from a fresh state."""
        features = nominal(clips)
        shape = ops.shape(features)
        previous = ops.zeros_like(features[:, 0])
        hidden = ops.zeros((shape[0], shape[2] // 2, shape[3] // 2, self.hidden), features.dtype)
        restored = []
        for index in range(clips.shape[1]):
            current = features[:, index]
            residual, hidden = self.network([current, previous, hidden])
            restored.append(current + residual)
            previous = current
        return ops.stack(restored, axis=1)


def nominal(codes: Any) -> Any:
    """uint8 limited-range codes (..., 24) to centred nominal features."""
    offset, scale = yuv.channel_levels(yuv.Levels())
    return (ops.cast(codes, "float32") - offset) / scale


def clip_loss(sharp: Any, restored: Any) -> Any:
    """`losses.root_mean_square_error` in code values of 8-bit RGB."""
    return 255.0 * root_mean_square_error(nominal(sharp), restored)


def share_done(progress: Progress, options: TrainOptions) -> float:
    """How much of the run is done, 1 at its end."""
    if options.minutes is not None:
        return min(1.0, progress.seconds / (60 * options.minutes))
    return min(1.0, progress.step / options.steps)


def learning_rate(progress: Progress, options: TrainOptions) -> float:
    """Half a cosine down to 1 % at the end of the run, under a linear warm-up."""
    cosine = 0.5 * (1 + math.cos(math.pi * share_done(progress, options)))
    ramp = min(1.0, (progress.step + 1) / options.warmup)
    return options.learning_rate * ramp * (0.01 + 0.99 * cosine)


class Run:
    """A network in training with its optimiser and progress."""

    def __init__(self, options: TrainOptions) -> None:
        keras.utils.set_random_seed(options.pool.seed)
        self.options = options
        self.config = registry.CONFIGS[options.model]
        if options.start:
            self.config = registry.read_weights(registry.weights_path(options.start))[0]
        self.network = build(self.config)
        if options.start:
            path = registry.weights_path(options.start)
            registry.assign(self.network, registry.read_weights(path)[1], path)
        self.model = Unrolled(self.network, self.config)
        self.optimizer = keras.optimizers.AdamW(
            options.learning_rate,
            weight_decay=1e-4,
            beta_2=0.99,
            global_clipnorm=1.0,
            use_ema=True,
            ema_momentum=options.average,
        )
        self.optimizer.build(self.network.trainable_variables)
        self.model.compile(optimizer=self.optimizer, loss=clip_loss)
        self.progress = Progress()

    @property
    def checkpoint(self) -> Path:
        """The file a run resumes from."""
        return self.options.out / "checkpoint.npz"

    def step(self, batch: tuple[np.ndarray, np.ndarray]) -> float:
        """One step of the optimiser; returns the loss before it."""
        self.optimizer.learning_rate = learning_rate(self.progress, self.options)
        loss = float(self.model.train_on_batch(*batch))
        self.progress.step += 1
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is not finite at step {self.progress.step}: lower the learning rate"
            )
        return loss

    @contextmanager
    def averaged(self) -> Iterator[keras.Model]:
        """The network with the moving average of its weights in place."""
        trained = [ops.convert_to_numpy(v.value).copy() for v in self.network.trainable_variables]
        self.optimizer.finalize_variable_values(self.network.trainable_variables)
        try:
            yield self.network
        finally:
            for variable, value in zip(self.network.trainable_variables, trained, strict=True):
                variable.assign(value)

    def save(self) -> None:
        """Write the checkpoint and the averaged weights, each whole or not at all."""
        arrays = {
            f"{kind}_{index:04d}": ops.convert_to_numpy(variable.value)
            for kind, variables in self._variables()
            for index, variable in enumerate(variables)
        }
        partial = self.checkpoint.with_suffix(".part")
        with partial.open("wb") as file:
            np.savez(file, progress=json.dumps(asdict(self.progress)), **arrays)
        partial.replace(self.checkpoint)
        with self.averaged() as network:
            registry.save_weights(self.options.out / "weights.npz", self.config, network)

    def restore(self) -> None:
        """Continue from the checkpoint."""
        with np.load(self.checkpoint, allow_pickle=False) as archive:
            self.progress = Progress(**json.loads(str(archive["progress"])))
            for kind, variables in self._variables():
                for index, variable in enumerate(variables):
                    variable.assign(archive[f"{kind}_{index:04d}"])

    def _variables(self) -> list[tuple[str, list[Any]]]:
        return [("weight", self.network.weights), ("optimizer", self.optimizer.variables)]

    def validate(self) -> dict[str, float]:
        """Score the averaged weights on the validation clips; keep them if they are the best."""
        options = self.options
        with self.averaged() as network:
            scores = validate(options.out / "validation", network, self.config)
            if scores.gain > self.progress.best_gain:
                self.progress.best_gain = scores.gain
                registry.save_weights(options.out / "best.npz", self.config, network)
        return {"psnr_in": scores.psnr_in, "psnr_out": scores.psnr_out, "gain": scores.gain}


def train(
    options: TrainOptions,
    *,
    resume: bool = False,
    log: Callable[[str], None] = print,
) -> Path:
    """Train to the end of the run and return the path of the best weights.

    With `resume`, a run that its folder holds goes on; without, that folder must hold none. SIGINT
    and SIGTERM end the run after the current step with a checkpoint in place.
    """
    run = Run(options)
    if resume and run.checkpoint.exists():
        run.restore()
        log(f"resumed {options.out} at step {run.progress.step}")
    elif run.checkpoint.exists():
        raise TrainingError(f"{options.out} holds a run already: add --resume to go on with it")
    options.out.mkdir(parents=True, exist_ok=True)
    render_validation(
        options.out / "validation", [Path(d) for d in options.pool.data], options.pool.blur
    )
    with (
        ClipPool(options.out / "pool", options.pool, workers=options.workers) as pool,
        ThreadPoolExecutor(1, thread_name_prefix="batches") as reader,
        _stop_signal() as stopped,
    ):
        batches = ClipBatches(pool, options.batch, steps=options.steps)
        _steps(run, batches, reader, stopped, log)
    best = options.out / "best.npz"
    return best if best.exists() else options.out / "weights.npz"


def _steps(
    run: Run,
    batches: ClipBatches,
    reader: ThreadPoolExecutor,
    stopped: Callable[[], bool],
    log: Callable[[str], None],
) -> None:
    progress, last = run.progress, time.monotonic()
    pending = reader.submit(batches.__getitem__, progress.step)
    losses: list[float] = []
    while share_done(progress, run.options) < 1 and not stopped():
        asked = time.monotonic()
        batch = pending.result()
        progress.waited += time.monotonic() - asked
        pending = reader.submit(batches.__getitem__, progress.step + 1)
        losses.append(run.step(batch))
        now = time.monotonic()
        progress.seconds += now - last
        last = now
        if progress.step % 50 == 0:
            log(_line(run, float(np.mean(losses))))
            _append(run, {"loss": float(np.mean(losses))})
            losses.clear()
        if progress.step % run.options.validate_every == 0:
            scores = run.validate()
            log(f"  validation {scores['psnr_in']:.2f} -> {scores['psnr_out']:.3f} dB "
                f"(gain {scores['gain']:+.3f})")  # fmt: skip
            _append(run, scores)
        if progress.step % run.options.checkpoint_every == 0:
            run.save()
    pending.cancel()
    run.save()


def _line(run: Run, loss: float) -> str:
    progress, shape = run.progress, run.options.batch
    rate = progress.step / progress.seconds
    return (
        f"step {progress.step}/{run.options.steps}  loss {loss:.3f}  {rate:.2f} steps/s  "
        f"{rate * shape.pixels / 1e6:.2f} Mpx/s  waiting {progress.waited / progress.seconds:.1%}"
    )


def _append(run: Run, values: dict[str, float]) -> None:
    record = {"step": run.progress.step, "seconds": run.progress.seconds, **values}
    with (run.options.out / "log.jsonl").open("a") as file:
        file.write(json.dumps(record) + os.linesep)


@contextmanager
def _stop_signal() -> Iterator[Callable[[], bool]]:
    """A flag that SIGINT and SIGTERM set while the block runs."""
    asked: list[int] = []
    kinds = (signal.SIGINT, signal.SIGTERM)
    old = [signal.signal(kind, lambda number, _: asked.append(number)) for kind in kinds]
    try:
        yield lambda: bool(asked)
    finally:
        for kind, handler in zip(kinds, old, strict=True):
            signal.signal(kind, handler)
