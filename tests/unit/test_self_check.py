"""What computes something else than the network is found before it has anybody's pictures."""

import os
import pkgutil
import platform
import subprocess
import sys

import keras
import numpy as np
import pytest
from clips import Clip
from random_model import save_random_weights

from models import registry
from models.errors import MismatchError
from models.keras_network import assembled
from models.network import NetworkConfig
from models.reference import Reference, require_agreement
from models.training import run as training
from models.training.batches import BatchShape
from models.training.options import TrainOptions
from models.training.pool import PoolSettings
from stream.cli import main
from stream.errors import ModelError
from stream.inference import machine, self_check
from stream.inference.engines import open_engine

MADE_BY = {
    "mnn": "models.networks.mnn.network",
    "onnx": "models.networks.onnx.network",
    "openvino": "models.networks.onnx.network",
    "litert": "models.export.litert.network",
    "tensorflow": "stream.inference.keras_engine.assembled",
}
"""What compiles the weights, for each runtime."""

FUSED = """
import sys
from models.runtimes import load_keras, tensorflow
load_keras()
options = tensorflow().config.optimizer
if sys.argv[2] == "on":
    leave = options.set_experimental_options
    options.set_experimental_options = lambda wanted: leave({"remapping": True})
from stream.errors import ModelError
from stream.inference.engines import open_engine
try:
    open_engine(sys.argv[1], device="cpu", precision="float32", runtime="tensorflow")
except ModelError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def _nothing_is_known_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_random_weights(tmp_path_factory.mktemp("weights") / "random.npz")


def wrong(weights):
    """The same with one kernel a tenth larger."""
    arrays = dict(weights.arrays)
    arrays["bottom_0/second/kernel"] = arrays["bottom_0/second/kernel"] * np.float16(1.1)
    return registry.Weights(weights.name, weights.path, weights.config, arrays)


def mutate(monkeypatch, runtime):
    """Have a runtime compile other weights than those of the file."""
    if runtime == "tensorflow":
        monkeypatch.setattr(MADE_BY[runtime], lambda weights: assembled(wrong(weights)))
        return
    made = pkgutil.resolve_name(MADE_BY[runtime])
    monkeypatch.setattr(MADE_BY[runtime], lambda weights, *rest: made(wrong(weights), *rest))


def opened(weights, runtime, precision="float32", *, look_ahead=False):
    return open_engine(
        weights, device="cpu", precision=precision, runtime=runtime, look_ahead=look_ahead
    )


@pytest.mark.parametrize("look_ahead", [False, True])
@pytest.mark.parametrize("runtime", MADE_BY)
def test_a_wrong_weight_in_the_compiled_network_alone_is_found(
    weights, runtime, look_ahead, monkeypatch
):
    if runtime == "litert":
        pytest.importorskip("ai_edge_litert")
    mutate(monkeypatch, runtime)
    with pytest.raises(ModelError) as failure:
        opened(weights, runtime, look_ahead=look_ahead)
    assert str(failure.value).startswith(f"{runtime} on this CPU does not compute what the network")
    assert str(failure.value).endswith("use another --runtime, and report it")
    assert "\n" not in str(failure.value)


def test_deblur_says_so_in_one_line(weights, clip, tmp_path, monkeypatch, capsys):
    mutate(monkeypatch, "mnn")
    out = tmp_path / "out.mp4"
    source = clip(Clip(width=64, height=48, frames=8))
    assert main(["clean", str(source), str(out), "--model", weights, "--device", "cpu"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deblur: mnn on this CPU does not compute what the network says: off by")
    assert not out.exists()


@pytest.mark.parametrize("onednn", ["0", "1"])
def test_tensorflow_s_fusions_stay_out_of_the_network(weights, onednn):
    assert fused(weights, onednn, "off") == ""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN fuses on x86")
def test_a_fusion_that_forgets_a_slope_is_found(weights):
    """The fault of docs/lab/upstream.md. Once TensorFlow has mended it, it may fuse."""
    assert "tensorflow on this CPU does not compute what the network says" in fused(
        weights, "1", "on"
    )


def fused(weights, onednn, remapping):
    """What is said of the engine on TensorFlow in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FUSED, weights, remapping],
        env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_what_was_right_is_not_checked_again_until_something_changes(weights, monkeypatch):
    checked = []
    monkeypatch.setattr(self_check, "_check", lambda engine, model: checked.append(model))
    for _ in range(2):
        opened(weights, "onnx")
    assert len(checked) == 1
    monkeypatch.setenv("TF_OF_ANOTHER_DAY", "1")
    opened(weights, "onnx")
    assert len(checked) == 2
    monkeypatch.setattr(machine, "_processor", lambda: "another")
    opened(weights, "onnx")
    assert len(checked) == 3
    opened(weights, "mnn")
    assert len(checked) == 4
    opened(weights, "mnn", look_ahead=True)
    assert len(checked) == 5


def test_what_was_wrong_is_checked_again(weights, monkeypatch):
    with monkeypatch.context() as patch:
        mutate(patch, "onnx")
        for _ in range(2):
            with pytest.raises(ModelError, match="does not compute what the network says"):
                opened(weights, "onnx")
    opened(weights, "onnx")


def test_without_a_place_to_note_it_all_is_checked(weights, tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(self_check, "_check", lambda engine, model: checked.append(model))
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        opened(weights, "onnx")
    assert len(checked) == 2


@pytest.mark.parametrize(("precision", "runtime"), [("bfloat16", "tensorflow"), ("int8", "onnx")])
def test_coarse_precisions_pass(weights, precision, runtime):
    opened(weights, runtime, precision)


# --- training -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(weights, tmp_path_factory):
    """One for all: its step is compiled once, and a check leaves no trace."""
    return training.open_run(
        TrainOptions(
            tmp_path_factory.mktemp("run"),
            None,
            PoolSettings((), size=32, frames=2, capacity=64),
            BatchShape(2, 2, 32),
            start=weights,
            steps=8,
        )
    )


def state_of(run):
    return {key: np.array(keras.ops.convert_to_numpy(v)) for key, v in run._variables().items()}


def test_a_training_step_is_checked_and_leaves_no_trace(run):
    before = state_of(run)
    run.check()
    after = state_of(run)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)
    assert (run.progress.step, list(run.progress.losses)) == (0, [])


def test_a_wrong_weight_in_the_training_step_alone_is_found(run, monkeypatch):
    train = run._train

    def wrongly(batch, rate):
        kernel = next(v for v in run.network.weights if v.path == "choice/kernel")
        kernel.assign(1.1 * kernel)
        train(batch, rate)

    monkeypatch.setattr(run, "_train", wrongly)
    before = state_of(run)
    with pytest.raises(MismatchError, match=r"training on .* does not compute what the network"):
        run.check()
    after = state_of(run)
    assert all(np.array_equal(before[key], after[key]) for key in before)


# --- the reference ------------------------------------------------------------------------------


def test_the_reference_convolves_as_it_is_defined():
    """Sample by sample, zeros beyond the border; with a stride every second one, as in Keras."""
    config = NetworkConfig((1, 1, 1), encoder=(1, 1, 1), decoder=(0, 1), hidden=1, filters=1)
    rng = np.random.default_rng(0)
    x, kernel, bias = rng.normal(size=(1, 4, 6, 2)), rng.normal(size=(3, 3, 2, 3)), np.arange(3.0)
    layers = Reference(config, {"a/kernel": kernel, "a/bias": bias})._layers
    for stride, offset in ((1, 1), (2, 0)):
        made = layers.convolution(x, 3, "a", stride=stride)
        assert made.shape == (1, 4 // stride, 6 // stride, 3)
        for row, column, channel in np.ndindex(made.shape[1:]):
            total = bias[channel]
            for i, j, c in np.ndindex(3, 3, 2):
                at, to = stride * row + i - offset, stride * column + j - offset
                if 0 <= at < 4 and 0 <= to < 6:
                    total += x[0, at, to, c] * kernel[i, j, c, channel]
            assert made[0, row, column, channel] == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_keras_computes_what_the_shipped_networks_are(name):
    weights = registry.load(name)
    rng = np.random.default_rng(0)
    shapes = (1, 8, 12, 24 * (1 + weights.neighbours)), (1, 4, 6, weights.config.hidden)
    given = [rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes]
    network = Reference(weights.config, weights.arrays, weights.neighbours)
    for found, expected in zip(
        assembled(weights).network.predict_on_batch(given), network(*given), strict=True
    ):
        require_agreement(found, expected, "float32", name, remedy="")


def test_no_number_is_no_agreement():
    one, none = np.ones(4), np.array([1, 1, 1, np.nan])
    require_agreement(one, one, "float32", "it", remedy="do it")
    with pytest.raises(MismatchError, match=r"off by nan of it, .* by 0\.001: do it"):
        require_agreement(none, one, "float32", "it", remedy="do it")
