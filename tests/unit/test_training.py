"""Data for training, what training minimises, and runs that are stopped, killed and resumed."""

import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import few_steps
import keras
import numpy as np
import pytest
from footage import blurred, pictures, write_frames, write_video
from waiting import HANG_S

from models import alignment, registry
from models.errors import ClipError, TrainingError
from models.keras_network import build, load, save_weights
from models.network import NetworkConfig
from models.packing import pack_420, unpack_420
from models.planes import RGB_ERROR_WEIGHTS, Levels
from models.training import validation
from models.training.augmentation import KINDS, turned
from models.training.batches import ABSENT_SHARE, UNRELATED_SHARE, BatchShape, ClipBatches
from models.training.curve import ticks
from models.training.logs import RunLog
from models.training.losses import EPSILON
from models.training.optimizers import OPTIMIZERS
from models.training.options import Progress, TrainOptions, learning_rate
from models.training.pool import FLOW_STEPS, ClipPool, PoolSettings
from models.training.procedural import draw_scene
from models.training.recurrence import ABSENT, ALIGNED, UNRELATED, ClipInputs, moved, nominal
from models.training.run import Run, clip_loss
from models.training.synthesis import render_clip
from models.training.trainer import train
from models.training.validation import ValidationShape, render_validation, validate
from stream.cli import main

TINY = NetworkConfig(widths=(8, 8, 8), encoder=(1, 1, 1), decoder=(0, 1), hidden=8, filters=8)
STEPS = 12
KILLED_AT = 2 * int(np.random.default_rng(2026).integers(1, 4))
STOPPED_AT = 9  # after the kill, between two lines of the log


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stills")
    for seed in range(5):
        scene = draw_scene(np.random.default_rng(seed), 96, 128)
        cv2.imwrite(str(folder / f"scene{seed}.png"), scene[..., ::-1])
    return folder


def pool_settings(stills, **changes):
    settings = PoolSettings((str(stills),), size=32, frames=2, capacity=6, first=3, renewal=1.0)
    return replace(settings, **changes)


@pytest.fixture(scope="module")
def pool(stills, tmp_path_factory):
    with ClipPool(tmp_path_factory.mktemp("pool"), pool_settings(stills)) as pool:
        yield pool


# --- the pool -----------------------------------------------------------------------------------


def test_window_grows_to_its_capacity_and_moves_on(stills):
    windows = [pool_settings(stills, renewal=0.5).window(step) for step in (0, 1, 2, 6, 20)]
    assert windows == [range(3), range(3), range(4), range(6), range(7, 13)]


def test_clips_are_a_function_of_settings_and_number(stills, pool, tmp_path):
    pool.advance(0)
    first = [np.array(pool.clip(number)) for number in range(3)]
    assert first[0].shape == (2, 8, 8, 76)
    assert first[0].dtype == np.uint8
    assert not np.array_equal(first[0], first[1])
    with ClipPool(tmp_path / "again", pool_settings(stills)) as again:
        again.advance(0)
        for number in (2, 0, 1):
            assert np.array_equal(again.clip(number), first[number])


def test_retired_clips_are_deleted_and_lost_ones_made_again(stills, tmp_path):
    with ClipPool(tmp_path, pool_settings(stills)) as pool:
        pool.advance(0, ahead=0)
        before = np.array(pool.clip(1))
        (tmp_path / "00000001.npy").write_bytes(b"cut short")
        assert np.array_equal(pool.clip(1), before)
        pool.advance(5, ahead=0)
        for number in pool.settings.window(5):
            pool.clip(number)
        assert sorted(path.stem for path in tmp_path.glob("*.npy")) == [
            f"{number:08d}" for number in range(2, 8)
        ]


def test_a_late_step_without_clips_has_only_those_made_that_are_drawn(stills, tmp_path):
    settings = pool_settings(stills, capacity=1000)
    with ClipPool(tmp_path, settings) as pool:
        batches = ClipBatches(pool, BatchShape(2, 2, 32), steps=900)
        before, _ = batches[800]
        assert len(pool._pending) < 50  # of a window of 803
    with ClipPool(tmp_path, settings) as pool:
        again = ClipBatches(pool, BatchShape(2, 2, 32), steps=900)
        after, _ = again[800]
        assert all(map(np.array_equal, after, before))


def test_a_pool_of_other_settings_is_discarded(stills, tmp_path):
    def reopened(**changes):
        with ClipPool(tmp_path, pool_settings(stills, **changes)):
            return {path.name for path in tmp_path.iterdir()} - {"settings.json"}

    assert reopened() == set()
    (tmp_path / "00000000.npy").write_bytes(b"a clip")
    (tmp_path / "00000001.77.part").write_bytes(b"left by a killed renderer")
    assert reopened() == {"00000000.npy"}
    assert reopened(capacity=9, renewal=2.0) == {"00000000.npy"}
    assert reopened(seed=1) == set()


def test_an_unreadable_picture_reaches_the_trainer_as_one_line(stills, tmp_path):
    broken = tmp_path / "stills"
    broken.mkdir()
    for index in range(4):
        (broken / f"photo{index}.jpg").write_bytes(b"not a picture")
    with ClipPool(tmp_path / "pool", pool_settings(broken)) as pool:
        batches = ClipBatches(pool, BatchShape(2, 2, 32), steps=4)
        with pytest.raises(ClipError, match=r"photo\d\.jpg can't be decoded as an image"):
            list(map(batches.__getitem__, range(4)))


def test_a_renderer_that_is_ended_from_outside_is_reported(stills, tmp_path):
    with ClipPool(tmp_path, pool_settings(stills)) as pool:
        pool.advance(0)
        pool.clip(0)
        for process in pool._executor._processes.values():
            process.kill()
        batches = ClipBatches(pool, BatchShape(2, 2, 32), steps=9)
        with pytest.raises(ClipError, match="rendering process was ended"):
            list(map(batches.__getitem__, range(1, 9)))


def test_material_that_is_not_there(tmp_path):
    with pytest.raises(ClipError, match="does not exist"):
        ClipPool(tmp_path / "pool", pool_settings(tmp_path / "nowhere"))
    with pytest.raises(ClipError, match="no image or video"):
        ClipPool(tmp_path / "pool", pool_settings(tmp_path))


@pytest.mark.parametrize(
    "changes", [{"size": 40}, {"first": 0}, {"first": 9}, {"renewal": -1.0}, {"pair_share": 2.0}]
)
def test_settings_are_checked(changes):
    with pytest.raises(ValueError, match=r"needed|no pool"):
        pool_settings("any", **changes)


def test_renderers_load_no_keras():
    """They must start fast and stay small: one more of them costs 300 MB with TensorFlow."""
    program = (
        "import sys, models.training.pool; "
        "sys.exit(bool({'keras', 'tensorflow'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- batches ------------------------------------------------------------------------------------


class FakePool:
    """Clips whose pictures are the sharp one less one, and less two, so that alignment shows.

    Their flow is where each patch comes from, in patches beyond the middle.
    """

    def __init__(self):
        self.settings = PoolSettings(("none",), size=48, frames=4, first=5)

    def advance(self, step, drawn):
        pass

    def clip(self, number):
        rng = np.random.default_rng(number)
        planes = [rng.integers(1, 255, (4, side, side)).astype(np.uint8) for side in (48, 24, 24)]
        sharp = pack_420(*planes, np)
        flow = np.stack(np.meshgrid(np.arange(12), np.arange(12)), axis=-1) * 2 - 11
        flow = np.repeat(flow[None], 4, axis=0).astype(np.int16) * FLOW_STEPS
        pictures = [sharp - 1, sharp, sharp - 2]
        return np.concatenate([*pictures, flow.view(np.uint8)], axis=-1)


def test_batches_are_a_function_of_the_step():
    shape = BatchShape(clips=3, frames=2, crop=32)
    one, two = (ClipBatches(FakePool(), shape, steps=9) for _ in range(2))
    inputs, sharp = one[4]
    assert inputs.frames.shape == inputs.following.shape == sharp.shape == (3, 2, 8, 8, 24)
    assert inputs.flow.shape == (3, 2, 8, 8, 2)
    assert inputs.kinds.shape == (3, 2)
    assert inputs.frames.dtype == np.uint8
    assert len(one) == 9
    again, target = two[4]
    assert all(map(np.array_equal, (*inputs, sharp), (*again, target)))
    assert not np.array_equal(inputs.frames, one[5][0].frames)


def test_augmentation_keeps_the_pictures_aligned():
    batches = ClipBatches(FakePool(), BatchShape(clips=4, frames=3, crop=32), steps=8)
    there = 0
    for step in range(8):
        inputs, sharp = batches[step]
        assert np.array_equal(inputs.frames + 1, sharp)
        following = (inputs.following + 2 == sharp).all(axis=(2, 3, 4))
        absent = (inputs.following == inputs.frames).all(axis=(2, 3, 4))
        assert (following | absent).sum() >= following.size - 2  # the rest are of other clips
        there += following.sum()
    assert 0.2 < there / (8 * following.size) < 0.7


def test_a_clip_s_neighbours_are_drawn_in_all_kinds():
    batches = ClipBatches(FakePool(), BatchShape(clips=4, frames=4, crop=32), steps=200)
    kinds = np.stack([batches._draw(step).kinds for step in range(200)])
    assert (kinds[:, :, 0] == ABSENT).all()
    shares = [(kinds[:, :, 1:] == kind).mean() for kind in (ABSENT, ALIGNED, UNRELATED)]
    assert shares == pytest.approx([ABSENT_SHARE, 1 - ABSENT_SHARE - UNRELATED_SHARE,
                                    UNRELATED_SHARE], abs=0.03)  # fmt: skip


@pytest.mark.parametrize("turns", [*itertools.product([False, True], repeat=KINDS)])
def test_a_turned_clip_s_flow_still_leads_to_where_it_was(turns):
    """Moving, then turning, is turning, then moving by the turned flow."""
    rng = np.random.default_rng(1)
    samples = rng.integers(0, 256, (2, 8, 8, 24)).astype(np.uint8)
    flow = cv2.GaussianBlur(rng.normal(0, 9, (8, 8, 4)).astype(np.float32), (0, 0), 2)
    flow = np.moveaxis(flow.reshape(8, 8, 2, 2), 2, 0)

    def choose(flag, a, b):
        return a if flag else b

    def moved_codes(samples, flow):
        return np.asarray(moved(samples.astype(np.float32), flow))

    turned_first = moved_codes(*turned(samples, flow, np.array(turns), choose))
    moved_first, _ = turned(moved_codes(samples, flow), flow, np.array(turns), choose)
    np.testing.assert_allclose(turned_first, moved_first, atol=1e-3)


def test_a_step_moves_what_it_made_as_alignment_moves_planes():
    rng = np.random.default_rng(0)
    planes = [rng.integers(0, 256, (side, side)).astype(np.uint8) for side in (64, 32, 32)]
    flow = cv2.GaussianBlur(rng.normal(0, 40, (16, 16, 2)).astype(np.float32), (0, 0), 2)
    packed = pack_420(*(plane[None].astype(np.float32) for plane in planes), np)
    found = unpack_420(np.asarray(moved(packed, flow[None])), np)
    for ours, theirs in zip(found, alignment.moved(planes, flow), strict=True):
        difference = np.abs(ours[0] - theirs)
        assert difference.max() < 255 / 32 + 1  # OpenCV has 32 places between two samples
        assert difference.mean() < 1.5


@pytest.mark.parametrize("sizes", [(0, 2, 32), (2, 0, 32), (2, 2, 24), (2, 2, 0)])
def test_batch_sizes_are_checked(sizes):
    with pytest.raises(ValueError, match=r"needed|needs"):
        BatchShape(*sizes)


# --- loss and learning rate ---------------------------------------------------------------------


@pytest.mark.parametrize("error", [1, 10, 40])
def test_loss_of_a_constant_error_is_that_error(error):
    """Equal R, G and B errors of e code values are a luma error of 219/255 e and none of chroma."""
    rng = np.random.default_rng(0)
    sharp = rng.integers(40, 200, (2, 3, 4, 4, 24)).astype(np.uint8)
    restored = np.array(nominal(sharp))
    restored[..., :16] += error / Levels().peak
    floor = 255 * np.sqrt(EPSILON)
    loss = float(clip_loss("rmse")(sharp, restored))
    assert loss == pytest.approx(np.hypot(error, floor), rel=1e-4)
    assert float(clip_loss("rmse")(sharp, nominal(sharp))) == pytest.approx(floor, rel=1e-4)


def test_each_frame_counts_by_its_root():
    sharp = np.full((1, 2, 4, 4, 24), 128, np.uint8)
    restored = np.array(nominal(sharp))
    restored[:, 1, ..., :16] += 20 / 255
    assert float(clip_loss("rmse")(sharp, restored)) == pytest.approx(10, rel=0.02)  # of 0 and 20


def test_the_smoothed_absolute_error_of_a_constant_error_is_that_error():
    sharp = np.full((1, 2, 4, 4, 24), 128, np.uint8)
    restored = np.array(nominal(sharp))
    restored[..., :16] += 40 / Levels().peak
    expected = 255 * RGB_ERROR_WEIGHTS[:16].sum() * 40 / Levels().peak
    assert float(clip_loss("charbonnier")(sharp, restored)) == pytest.approx(expected, rel=0.02)


def options(out="run", stills="none", **changes):
    settings = TrainOptions(
        Path(out),
        None,
        PoolSettings((str(stills),), size=48, frames=3, first=4, capacity=8),
        BatchShape(clips=2, frames=2, crop=32),
        ValidationShape(clips=1, frames=2, height=32, width=48),
        steps=STEPS,
        log_every=2,
        checkpoint_every=3,
        validate_every=6,
    )
    return replace(settings, **changes)


def test_learning_rate_rises_then_falls_to_a_hundredth():
    given = options(steps=1000, warmup=50, learning_rate=1e-3)
    rates = [learning_rate(Progress(step), given) for step in range(1001)]
    assert rates[0] == pytest.approx(1e-3 / 50)
    assert np.all(np.diff(rates[:50]) > 0)
    assert np.all(np.diff(rates[50:]) < 0)
    assert rates[500] == pytest.approx(1e-3 * 0.505)
    assert rates[1000] == pytest.approx(1e-5)


def test_learning_rate_can_follow_the_clock():
    given = options(minutes=10.0, warmup=1, learning_rate=1e-3)
    assert learning_rate(Progress(500, seconds=300), given) == pytest.approx(1e-3 * 0.505)
    assert learning_rate(Progress(500, seconds=900), given) == pytest.approx(1e-5)


def test_fine_tuning_is_gentler_and_averages_over_less():
    fresh, tuned = options(steps=20_000), options(steps=200, start="weights.npz")
    assert (fresh.peak_rate, fresh.warmup_steps, fresh.momentum) == (3e-3, 200, 0.999)
    assert (tuned.peak_rate, tuned.warmup_steps, tuned.momentum) == (1e-3, 20, 0.95)
    assert options(learning_rate=5e-4, start="weights.npz").peak_rate == 5e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 0},
        {"minutes": 0.0},
        {"learning_rate": 0.0},
        {"batch": BatchShape(2, 2, 64)},
        {"batch": BatchShape(2, 4, 32)},
    ],
)
def test_options_are_checked(changes):
    with pytest.raises(ValueError, match=r"must|nothing|can't be cut"):
        options(**changes)


# --- runs ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A weights file whose network does something, small enough to train in a test."""
    path = tmp_path_factory.mktemp("start") / "start.npz"
    keras.utils.set_random_seed(1)
    network = build(TINY)
    rng = np.random.default_rng(1)
    for variable in network.weights:
        variable.assign(rng.normal(size=variable.shape) * 0.1)
    save_weights(path, TINY, network)
    return str(path)


def records(out, key):
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line[key]) for line in lines if key in line]


@pytest.fixture(scope="module")
def unbroken(stills, start, tmp_path_factory):
    """The folder and the lines of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("unbroken")
    lines = []
    train(options(out, stills, start=start), log=lines.append)
    return out, lines


def test_a_run_leaves_weights_log_and_curve(unbroken, start):
    out, lines = unbroken
    assert [step for step, _ in records(out, "loss")] == list(range(2, STEPS + 1, 2))
    assert [step for step, _ in records(out, "gain")] == [0, 6, STEPS]
    assert any("steps/s" in line and "waiting" in line for line in lines)
    assert cv2.imread(str(out / "curve.png")).shape == (600, 960, 3)
    assert list((out / "tensorboard").glob("events*"))
    best = registry.load(str(out / "best.npz"))
    assert best.config == TINY
    assert best.arrays.keys() == registry.load(start).arrays.keys()


def test_a_fine_tune_begins_at_the_score_of_its_weights(unbroken, start):
    out, _ = unbroken
    model = load(start)
    (scores,) = validate(out / "validation", model.network, model.config).values()
    assert records(out, "gain")[0] == (0, pytest.approx(scores.gain, abs=1e-6))


CHILD = """
import sys

if __name__ == "__main__":
    from test_training import KILLED_AT, options, train

    def log(text):
        print(text, flush=True)
        if text.startswith(f"step {KILLED_AT}/"):
            sys.stdin.read()  # until the end that never comes: here it is killed

    train(options(*sys.argv[1:3], start=sys.argv[3]), log=log)
"""


def test_a_run_resumes_exactly_when_killed_then_stopped_then_without_its_pool(
    unbroken, stills, start, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    given = options(out, stills, start=start)
    _kill_in_mid_run(tmp_path / "child.py", [str(out), str(stills), start])

    def stopped_step(run, batch):
        step(run, batch)
        if run.progress.step == STOPPED_AT:
            signal.raise_signal(signal.SIGTERM)

    step = Run.step
    monkeypatch.setattr(Run, "step", stopped_step)
    with pytest.raises(TrainingError, match="add --resume"):
        train(given)
    with pytest.raises(KeyboardInterrupt):
        train(given, resume=True)
    assert records(out, "loss") == records(unbroken[0], "loss")[: STOPPED_AT // 2]
    shutil.rmtree(out / "pool")
    train(given, resume=True)
    # TensorFlow on a CPU was bitwise equal in every try, so no tolerance is given
    for key in ("loss", "gain"):
        assert records(out, key) == records(unbroken[0], key)
    ours, theirs = (registry.load(str(run / "weights.npz")).arrays for run in (out, unbroken[0]))
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)


def _kill_in_mid_run(script, arguments):
    """Start a run in a process of its own and kill that; its renderers must end by themselves."""
    script.write_text(CHILD)
    here = Path(__file__).parent
    places = (here, here.parent, Path(registry.__file__).parents[1])
    child = subprocess.Popen(
        [sys.executable, str(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places))},
    )
    for line in child.stdout:
        if line.startswith(f"step {KILLED_AT}/"):
            break
    renderers = [os.pidfd_open(int(pid)) for pid in _children(child.pid)]
    child.kill()
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert renderers
    for renderer in renderers:  # readable when it has ended
        assert select.select([renderer], [], [], HANG_S)[0], "a renderer outlives the trainer"
        os.close(renderer)


def _children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_averaged_weights_give_way_to_the_trained_ones(start, tmp_path):
    run = Run(options(tmp_path, start=start, steps=1000))

    def weights():
        return [np.array(variable.value) for variable in run.network.trainable_variables]

    begun = weights()
    with run.averaged():
        assert all(map(np.array_equal, weights(), begun))  # no average before the first step
    for _ in range(3):
        run.optimizer.apply([np.ones_like(value) for value in begun])
        run.progress.step += 1
    trained = weights()
    with run.averaged():
        assert not all(map(np.array_equal, weights(), trained))
    assert all(map(np.array_equal, weights(), trained))

    run.save()
    other = Run(options(tmp_path))
    with pytest.raises(TrainingError, match="of another model"):
        other.restore()
    run.checkpoint.write_bytes(b"damaged")
    with pytest.raises(TrainingError, match="can't be read"):
        run.restore()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(optimizer, tmp_path):
    run = Run(options(tmp_path, optimizer=optimizer, learning_rate=3e-3, warmup=1, steps=30))
    rng = np.random.default_rng(0)
    sharp = rng.integers(16, 236, (2, 2, 8, 8, 24)).astype(np.uint8)
    blurry = (sharp // 2 + 64).astype(np.uint8)
    flow, kinds = np.zeros((2, 2, 8, 8, 2), np.float32), np.zeros((2, 2), np.int8)
    for _ in range(15):
        run.step((ClipInputs(blurry, blurry, flow, kinds), sharp))
    assert run.progress.losses[-1] < 0.95 * run.progress.losses[0]


@pytest.fixture(scope="module")
def few_losses(start, tmp_path_factory):
    """A function that gives a backend's losses in a few steps by their precision, made once."""

    @cache
    def of(backend):
        pytest.importorskip(backend, reason=f"Keras' {backend} backend is not installed")
        folder = tmp_path_factory.mktemp(backend)
        if backend == keras.backend.backend():
            return few_steps.all_losses(folder, start)
        result = subprocess.run(
            [sys.executable, few_steps.__file__, folder, start],
            env=os.environ | few_steps.QUICK | {"KERAS_BACKEND": backend},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(result.stdout.splitlines()[-1])

    return of


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_train_alike(backend, few_losses):
    expected = few_losses("tensorflow")["float32"]
    assert few_losses(backend)["float32"] == pytest.approx(expected, rel=1e-3)
    assert expected[-1] < expected[0]


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_bfloat16_trains_much_alike(backend, few_losses):
    expected, found = few_losses("tensorflow")["float32"], few_losses(backend)["bfloat16"]
    assert found == pytest.approx(expected, rel=2e-2)
    assert found != pytest.approx(expected, rel=1e-6)


def test_a_loss_that_is_not_finite_ends_the_run(start, tmp_path, monkeypatch):
    run = Run(options(tmp_path, start=start))
    monkeypatch.setattr(run.model, "train_on_batch", lambda blurry, sharp: np.float32("nan"))
    with pytest.raises(TrainingError, match="step 1: lower the learning rate"):
        run.step((np.zeros(1), np.zeros(1)))


def test_validation_clips_are_made_once_and_again_for_other_settings(stills, tmp_path):
    blur, shape = PoolSettings(("any",)).blur, ValidationShape(4, 2, 32, 48)

    def made():
        render_validation(tmp_path, [str(stills)], blur, shape)
        return first.stat().st_mtime_ns, cv2.imread(str(first))

    first = tmp_path / "blur" / "usual_00" / "000.png"
    before = made()
    assert before[1].shape == (32, 48, 3)
    assert made()[0] == before[0]
    blur = replace(blur, length_median_px=1.0)
    assert made()[0] > before[0]
    names = sorted(path.name for path in (tmp_path / "sharp").iterdir())
    assert names == ["bursts_01", "stored_02", "usual_00", "usual_03"]
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    shutil.copy(stills / "scene0.png", lonely)
    with pytest.raises(ClipError, match="four stills or one video are the least"):
        render_validation(tmp_path / "other", [str(lonely)], blur, shape)


def test_each_part_of_validation_is_blurred_in_its_own_way(stills, start, tmp_path, monkeypatch):
    asked = []

    def render(*args, settings, **size):
        asked.append((settings.burst_share, settings.stored_share, settings.sharp_share))
        return render_clip(*args, settings=settings, **size)

    monkeypatch.setattr(validation, "render_clip", render)
    given = options(tmp_path, stills, start=start, validation=ValidationShape(3, 2, 32, 48))
    render_validation(tmp_path / "validation", [str(stills)], given.pool.blur, given.validation)
    assert asked == [(0, 0, 0), (1, 0, 0), (0, 1, 0)]
    scores = Run(given).validate()
    assert list(scores) == ["bursts", "stored", "usual"]
    assert len({part.psnr_in for part in scores.values()}) == 3
    assert all(part.frames == 2 for part in scores.values())


# --- logs and the command -------------------------------------------------------------------------


def test_a_log_loses_what_will_be_done_again(tmp_path):
    with RunLog(tmp_path, first_step=0) as log:
        for step in (2, 4, 6):
            log.add(Progress(step), {"loss": step / 2})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')  # cut short by a kill
    with RunLog(tmp_path, first_step=4) as log:
        log.add(Progress(6), {"loss": 9.0})
    assert records(tmp_path, "loss") == [(2, 1.0), (4, 2.0), (6, 9.0)]
    with RunLog(tmp_path, first_step=0):
        assert records(tmp_path, "loss") == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (0.13, 0.41, [0.2, 0.3, 0.4]), (-1.2, 0.7, [-1, -0.5, 0, 0.5])],
)
def test_ticks_are_round(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("data", ["a folder", "a file"])
def test_the_preview_draws_clips_and_prints_their_figures(
    data, stills, tmp_path, monkeypatch, capsys
):
    from stream.cli import train as command

    monkeypatch.setattr(command, "PREVIEWED", 3)
    monkeypatch.setattr(command, "DRAWN", 2)
    monkeypatch.setattr(command, "PREVIEW_PX", 96)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = stills if data == "a folder" else write_video(tmp_path / "video.mkv", pictures(48))
    sheet = tmp_path / "sheet.png"
    assert main(["train", "--data", str(place), "--preview", str(sheet)]) == 0
    decoded = list((tmp_path / "cache/deblur/footage").glob("*.rgb"))
    assert len(decoded) == (data == "a file")
    assert cv2.imread(str(sheet)).shape[1] == 3 * 2 * 2 * 96  # frames, sides, enlarged twice
    out = capsys.readouterr().out
    assert "PSNR mean" in out
    assert "spectrum slope" in out


def test_a_run_that_cannot_begin_says_why_in_one_line(capsys):
    assert main(["train", "--data", "/nowhere", "--preview", "sheet.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "/nowhere does not exist" in line


def test_a_run_that_is_not_there_is_not_resumed(stills, start, tmp_path):
    (tmp_path / "ended early" / "pool").mkdir(parents=True)
    for name, says in {
        "mistyped": "there is no run at .*mistyped: check the name",
        "ended early": r"holds no checkpoint\.npz.* begins again without --resume",
    }.items():
        with pytest.raises(TrainingError, match=says):
            train(options(tmp_path / name, stills, start=start), resume=True)
    assert not (tmp_path / "mistyped").exists()


def test_a_folder_that_cannot_hold_a_run_is_named(stills, start, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="can't hold the run"):
        train(options(tmp_path / "file" / "run", stills, start=start))


@pytest.mark.slow
def test_a_run_learns_to_undo_a_blur(tmp_path):
    """A floor: these 300 steps gained 0.21 dB on scenes that were held out."""
    for scene in range(5):
        frames = pictures(12, seed=scene)
        write_frames(tmp_path / "data" / f"{scene}" / "blur", blurred(frames))
        write_frames(tmp_path / "data" / f"{scene}" / "sharp", frames)
    keras.utils.set_random_seed(0)
    save_weights(tmp_path / "fresh.npz", TINY, build(TINY))
    given = options(
        tmp_path / "run", tmp_path / "data", start=str(tmp_path / "fresh.npz"), steps=300,
        learning_rate=3e-3, validate_every=300, log_every=50,
        pool=PoolSettings((str(tmp_path / "data"),), size=32, frames=4, first=32),
        batch=BatchShape(8, 3, 32), validation=ValidationShape(4, 6),
    )  # fmt: skip
    train(given)
    first, *_, last = records(tmp_path / "run", "gain")
    assert first == (0, 0)
    assert last[1] > 0.1
