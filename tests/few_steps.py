"""A few steps of training on made-up numbers, to compare the backends of Keras."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from models.training.batches import BatchShape
from models.training.options import TrainOptions
from models.training.pool import PoolSettings
from models.training.run import open_run

QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""The environment in which JAX does not compile for a minute what runs for milliseconds."""

PRECISIONS = ("float32", "bfloat16")


def losses(out, start, precision):
    """The losses of four steps, scored, saved and restored in between."""
    run = open_run(
        TrainOptions(
            out,
            None,
            PoolSettings((), size=32, frames=2, capacity=64),
            BatchShape(2, 2, 32),
            start=start,
            learning_rate=1e-3,
            steps=8,
            precision=precision,
        )
    )
    sharp = np.random.default_rng(0).integers(16, 236, (2, 2, 8, 8, 24)).astype(np.uint8)
    blurry = (sharp // 2 + 64).astype(np.uint8)
    batch = _placed(blurry, sharp) if keras.backend.backend() == "jax" else (blurry, sharp)
    zeros = [np.zeros((1, 4, 4, 24), np.float32)] * 2
    zeros.append(np.zeros((1, 2, 2, run.config.hidden), np.float32))
    out.mkdir()
    found = []
    for _ in range(4):
        run.step(batch)
        run.settle()
        found.append(run.progress.losses[-1])
        with run.averaged() as network:
            network.predict_on_batch(zeros)
        run.save()
        run.restore()
    return found


def all_losses(folder, start):
    """The `losses` in each precision."""
    return {each: losses(folder / each, start, each) for each in PRECISIONS}


def _placed(blurry, sharp):
    from models.training.jax_run import PlacedBatch

    clips = dict(enumerate(np.stack([blurry, sharp], axis=1)))
    return PlacedBatch(clips, np.arange(2), np.zeros((2, 3), int), np.zeros((2, 5), bool))


if __name__ == "__main__":
    print(json.dumps(all_losses(Path(sys.argv[1]), sys.argv[2])))
