"""The step on JAX: where its clips lie, how they are cut, and runs that are stopped and resumed."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import few_steps
import numpy as np
import pytest
from random_model import save_random_weights
from test_training import FakePool

from models import registry
from models.errors import TrainingError
from models.training.augmentation import KINDS, turned
from models.training.batches import BatchShape, ClipBatches, neighbours
from models.training.pool import FLOW_STEPS, PoolSettings
from models.training.procedural import draw_scene

pytest.importorskip("jax", reason="JAX is not installed")

from models.training import jax_run
from models.training.jax_run import PlacedBatches

SHAPE = BatchShape(clips=3, frames=2, crop=32)


def taken(batches, memory, step):
    """Features and flow as they are cut from `memory`, which gets what is new to it."""
    batch = batches[step]
    for slot, clip in batch.new.items():
        for part, new in zip(memory, clip, strict=True):
            part[slot] = new
    cuts = [
        jax_run._cut(memory, SHAPE, *place)
        for place in zip(batch.slots, batch.cuts.corners, batch.cuts.turns, strict=True)
    ]
    samples, flow = (np.stack(part) for part in zip(*cuts, strict=True))
    return samples, flow, batch.cuts


def test_batches_in_memory_are_those_on_the_host():
    ours, theirs = (kind(FakePool(), SHAPE, steps=9) for kind in (PlacedBatches, ClipBatches))
    room = ours.pool.settings.capacity, 4, 12, 12
    memory = np.zeros((*room, 72), np.uint8), np.zeros((*room, 2), np.int16)
    for step in range(9):
        samples, flow, cuts = taken(ours, memory, step)
        inputs, sharp = theirs[step]
        assert np.array_equal(samples[..., :48], np.concatenate([inputs.frames, sharp], axis=-1))
        following = neighbours(samples[..., 48:], samples[..., :24], cuts.following, np)
        assert np.array_equal(following, inputs.following)
        assert np.array_equal(flow / np.float32(FLOW_STEPS), inputs.flow)
        assert np.array_equal(cuts.kinds, inputs.kinds)


def test_a_clip_is_placed_once_until_another_takes_its_slot():
    batches = PlacedBatches(FakePool(), SHAPE, steps=9)
    new = [number for step in range(9) for number in batches[step].new]
    assert sorted(new) == sorted(set(new))
    assert set(new) <= set(batches.pool.settings.window(8))
    number, capacity = batches[0].slots[0], batches.pool.settings.capacity
    batches._placed[number] = number + capacity
    assert number in batches[0].new


@pytest.mark.parametrize("turns", [*itertools.product([False, True], repeat=KINDS)])
def test_clips_are_turned_as_on_the_host(turns):
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (1, 2, 8, 8, 72)).astype(np.uint8)
    flow = rng.integers(-99, 99, (1, 2, 8, 8, 2)).astype(np.int16)
    ours = jax_run._cut((samples, flow), SHAPE, 0, np.zeros(3, int), np.array(turns))
    theirs = turned(samples[0], flow[0], turns, lambda flag, a, b: a if flag else b)
    assert all(map(np.array_equal, ours, theirs))


def test_too_many_clips_for_the_memory_is_one_line():
    with pytest.raises(TrainingError, match=r"GiB of clips don't fit .*: use a smaller --crop"):
        jax_run._allocated(PoolSettings((), capacity=10**9))


RUN = """
import sys

if __name__ == "__main__":
    import signal
    from pathlib import Path

    from models.training.batches import BatchShape
    from models.training.options import TrainOptions
    from models.training.pool import PoolSettings
    from models.training.run import Run
    from models.training.trainer import train
    from models.training.validation import ValidationShape

    folder, stills, start, *sittings = sys.argv[1:]
    step = Run.step

    def stopped(run, batch):
        step(run, batch)
        if str(run.progress.step) == stop:
            signal.raise_signal(signal.SIGTERM)

    Run.step = stopped
    for sitting in sittings:
        out, stop = sitting.split(":")
        settings = TrainOptions(
            Path(folder, out), None, start=start, steps=8, log_every=2, validate_every=4,
            optimizer="adamw",
            pool=PoolSettings((stills,), size=48, frames=3, capacity=6, first=3, renewal=1.0),
            batch=BatchShape(2, 2, 32), validation=ValidationShape(2, 2, 64, 96),
        )
        try:
            train(settings, resume=stop == "resume")
        except KeyboardInterrupt:
            print("stopped")
"""


@pytest.mark.parametrize("compiled", ["quickly", pytest.param("well", marks=pytest.mark.slow)])
def test_a_run_on_jax_resumes_as_if_it_had_not_stopped(compiled, tmp_path):
    """In one process where time matters, otherwise each sitting in a process of its own."""
    stills = tmp_path / "stills"
    stills.mkdir()
    for seed in range(5):
        scene = draw_scene(np.random.default_rng(seed), 96, 128)
        cv2.imwrite(str(stills / f"scene{seed}.png"), scene[..., ::-1])
    start = save_random_weights(tmp_path / "start.npz")
    script = tmp_path / "run.py"
    script.write_text(RUN)

    settings = {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(Path(registry.__file__).parents[1]),
        **(few_steps.QUICK if compiled == "quickly" else {}),
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def run(*sittings):
        result = subprocess.run(
            [sys.executable, script, tmp_path, stills, start, *sittings],
            env=os.environ | settings,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines().count("stopped")

    def records(out):
        lines = (tmp_path / out / "log.jsonl").read_text().splitlines()
        kept = [{k: v for k, v in json.loads(line).items() if k in ("step", "loss", "gain")}
                for line in lines]  # fmt: skip
        return sorted(kept, key=str)

    sittings = ("whole:", "parts:5", "parts:resume")
    assert (run(*sittings) if compiled == "quickly" else sum(map(run, sittings))) == 1
    for ours, theirs in zip(records("parts"), records("whole"), strict=True):
        assert ours == theirs
    ours, theirs = (
        registry.load(str(tmp_path / out / "weights.npz")) for out in ("parts", "whole")
    )
    begun = registry.load(start)
    for name, array in theirs.arrays.items():
        assert np.array_equal(ours.arrays[name], array)
    assert any(not np.array_equal(begun.arrays[name], theirs.arrays[name]) for name in begun.arrays)
