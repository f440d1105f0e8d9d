"""A few steps of training on made-up numbers, to compare the backends of Keras."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from models.training.augmentation import KINDS
from models.training.batches import BatchShape, Cuts
from models.training.options import TrainOptions
from models.training.pool import FLOW_STEPS, PoolSettings
from models.training.recurrence import ABSENT, ALIGNED, UNRELATED, ClipInputs
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
    flow = np.full((2, 2, 8, 8, 2), 1.5, np.float32)
    kinds = np.array([[ABSENT, ALIGNED], [ABSENT, UNRELATED]], np.int8)
    if keras.backend.backend() == "jax":
        batch = _placed(blurry, sharp, flow, kinds)
    else:
        batch = ClipInputs(blurry, sharp, flow, kinds), sharp
    zeros = [np.zeros((1, 4, 4, 72), np.float32)]
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


def _placed(blurry, sharp, flow, kinds):
    from models.training.jax_run import PlacedBatch

    samples = np.concatenate([blurry, sharp, sharp], axis=-1)
    steps = (flow * FLOW_STEPS).astype(np.int16)
    places = np.arange(2), np.zeros((2, 3), int), np.zeros((2, KINDS), bool)
    cuts = Cuts(*places, kinds, np.full_like(kinds, ALIGNED))
    return PlacedBatch(dict(enumerate(zip(samples, steps, strict=True))), np.arange(2), cuts)


if __name__ == "__main__":
    print(json.dumps(all_losses(Path(sys.argv[1]), sys.argv[2])))
