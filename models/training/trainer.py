"""The training run, from options to weights, read from top to bottom.

A run is a folder: `checkpoint.npz` holds everything that the next step depends on, so a run that
was killed goes on as if it had not been; `weights.npz` holds the newest averaged weights and
`best.npz` those with the best full-frame validation score; `log.jsonl` and `curve.png` its course.
"""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import numpy as np

from models.errors import TrainingError
from models.training.batches import ClipBatches
from models.training.logs import RunLog
from models.training.options import TrainOptions, share_done
from models.training.pool import ClipPool
from models.training.run import Run, open_run
from models.training.validation import render_validation


def train(
    options: TrainOptions,
    *,
    resume: bool = False,
    log: Callable[[str], None] = print,
) -> Path:
    """Train to the end of the run and return the path of the best weights.

    With `resume`, the run that its folder holds goes on; without, that folder must hold none.
    SIGINT and SIGTERM end the run after the current step with a checkpoint in place, and raise
    KeyboardInterrupt. ModelError for material, weights or a folder that can't be used.
    """
    try:
        return _train(options, resume, log)
    except OSError as error:
        raise TrainingError(f"{options.out} can't hold the run: {error}") from error


def _train(options: TrainOptions, resume: bool, log: Callable[[str], None]) -> Path:
    run = open_run(options)
    if run.checkpoint.exists() and not resume:
        raise TrainingError(f"{options.out} holds a run already: add --resume to go on with it")
    if resume:
        _require_checkpoint(run)
        run.restore()
        log(f"resumed {options.out} at step {run.progress.step}")
    options.out.mkdir(parents=True, exist_ok=True)
    render_validation(
        options.out / "validation", options.pool.data, options.pool.blur, options.validation
    )
    with (
        RunLog(options.out, first_step=run.progress.step) as record,
        ClipPool(options.out / "pool", options.pool, workers=options.workers) as pool,
        ThreadPoolExecutor(1, thread_name_prefix="batches") as reader,
        _stop_signal() as stopped,
    ):
        log(f"data: {pool.material.describe()}")
        run.check()
        _steps(run, run.batches(pool), reader, stopped, _Reporter(run, record, log))
        interrupted = share_done(run.progress, options) < 1
    if interrupted:
        log(f"stopped at step {run.progress.step}: --resume goes on from there")
        raise KeyboardInterrupt
    best = options.out / "best.npz"
    return best if best.exists() else options.out / "weights.npz"


def _require_checkpoint(run: Run) -> None:
    if run.checkpoint.exists():
        return
    out = run.options.out
    if not out.exists():
        raise TrainingError(f"there is no run at {out}: check the name, or leave out --resume")
    raise TrainingError(
        f"{out} holds no {run.checkpoint.name}: check the name; a run that was ended before its "
        "first one begins again without --resume"
    )


def _steps(
    run: Run,
    batches: ClipBatches,
    reader: ThreadPoolExecutor,
    stopped: Callable[[], bool],
    report: "_Reporter",
) -> None:
    progress, options = run.progress, run.options
    if options.start and progress.step == 0:
        report.validation()
    pending = reader.submit(batches.__getitem__, progress.step)
    last = time.monotonic()
    while share_done(progress, options) < 1 and not stopped():
        asked = time.monotonic()
        batch = pending.result()
        progress.waited += time.monotonic() - asked
        pending = reader.submit(batches.__getitem__, progress.step + 1)
        run.step(batch)
        now = time.monotonic()
        progress.seconds += now - last
        last = now
        ended = share_done(progress, options) == 1
        if progress.step % options.log_every == 0 or ended:
            report.losses()
        if progress.step % options.validate_every == 0 or ended:
            report.validation()
        if progress.step % options.checkpoint_every == 0:
            run.save()
    pending.cancel()
    run.save()


class _Reporter:
    """Tells people and the log how a run goes."""

    def __init__(self, run: Run, record: RunLog, log: Callable[[str], None]) -> None:
        self._run = run
        self._record = record
        self._log = log

    def losses(self) -> None:
        """The mean loss since this was last called."""
        self._run.settle()
        progress, options = self._run.progress, self._run.options
        loss = float(np.mean(progress.losses))
        progress.losses.clear()
        rate, waiting = progress.step / progress.seconds, progress.waited / progress.seconds
        length = f"/{options.steps}" if options.minutes is None else ""
        self._log(
            f"step {progress.step}{length}  loss {loss:.3f}  {rate:.2f} steps/s  "
            f"{rate * options.batch.pixels / 1e6:.2f} Mpx/s  waiting {waiting:.1%}"
        )
        self._record.add(progress, {"loss": loss, "waiting": waiting})

    def validation(self) -> None:
        """The scores on held-out clips, of each part and of all."""
        scores = self._run.validate()
        gains = {f"gain_{part}": score.gain for part, score in scores.items()}
        gain = fmean(gains.values())
        parts = "  ".join(
            f"{part} {score.psnr_in:.2f} dB {score.gain:+.3f}" for part, score in scores.items()
        )
        self._log(f"  validation gain {gain:+.3f} dB: {parts}")
        self._record.add(self._run.progress, {"gain": gain, **gains})
        self._record.draw_curve()


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
