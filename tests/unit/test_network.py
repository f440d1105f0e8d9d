import json
import os
import subprocess
import sys

import few_steps
import keras
import numpy as np
import pytest

from models import registry
from models.cost import cost_gmac
from models.errors import WeightsError
from models.keras_network import assign, build, load, save_weights
from models.network import CAUSAL, GATES, LOOK_AHEAD, NetworkConfig, causal_arrays, fresh_hidden
from models.reference import Reference
from models.registry import CONFIGS

SMALL = NetworkConfig(widths=(8, 8, 16), encoder=(1, 1, 1), decoder=(1, 1), hidden=8, filters=8)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return randomised(build(SMALL))


def randomised(network):
    """Weights that give a residual of some code values; fresh ones give none."""
    rng = np.random.default_rng(5)
    for variable in network.weights:
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        variable.assign(rng.normal(size=variable.shape) / np.sqrt(fan_in))
    return network


def inputs(seed=0, batch=1, rows=8, columns=12):
    rng = np.random.default_rng(seed)
    shapes = [(batch, rows, columns, 72), (batch, rows // 2, columns // 2, SMALL.hidden)]
    return [rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes]


def test_a_fresh_network_changes_nothing():
    residual, _ = build(SMALL)(inputs())
    assert not np.asarray(residual).any()


def test_shapes_and_bounds(network):
    residual, hidden = network(inputs(batch=2))
    assert residual.shape == (2, 8, 12, 24)
    assert hidden.shape == (2, 4, 6, 8)
    assert np.abs(np.asarray(hidden)).max() <= 1


def test_every_input_matters(network):
    given = inputs()
    before = np.asarray(network(given)[0])
    frames, hidden = given
    for first in (0, 24, 48):  # the frame, its reference, the next frame
        changed = frames.copy()
        changed[..., first : first + 24] += 0.1
        assert np.abs(np.asarray(network([changed, hidden])[0]) - before).max() > 1e-4
    assert np.abs(np.asarray(network([frames, hidden + 0.1])[0]) - before).max() > 1e-4


def test_a_next_frame_that_is_not_there_is_as_no_look_ahead(network):
    frames, hidden = inputs()
    frames[..., 48:] = 0
    causal = build(SMALL, neighbours=CAUSAL)
    arrays = causal_arrays({v.path: np.asarray(v.value) for v in network.weights})
    assign(causal, arrays, "these")
    for found, expected in zip(
        causal([frames[..., :48], hidden]), network([frames, hidden]), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_weights_say_how_many_neighbours_they_are_for(network, tmp_path):
    save_weights(tmp_path / "w.npz", SMALL, network)
    weights = registry.load(str(tmp_path / "w.npz"))
    causal = weights.causal()
    assert (weights.neighbours, causal.neighbours) == (LOOK_AHEAD, CAUSAL)
    left_out = {f"{GATES[1]}/{part}" for part in ("kernel", "bias")}
    assert weights.arrays.keys() - causal.arrays.keys() == left_out
    assert causal.causal().arrays.keys() == causal.arrays.keys()


def test_batch_is_each_alone(network):
    given = inputs(batch=3)
    together = np.asarray(network(given)[0])
    for index in range(3):
        alone = np.asarray(network([part[index : index + 1] for part in given])[0])
        # another batch size may pick another convolution kernel: float rounding only
        np.testing.assert_allclose(together[index : index + 1], alone, atol=1e-5)


def test_a_fresh_state_covers_the_padded_frame():
    hidden = fresh_hidden(SMALL, 2, 479, 853)
    assert hidden.shape == (2, 60, 108, 8)
    assert not hidden.any()


@pytest.mark.parametrize(("name", "budget"), [("tiny", 5.5), ("small", 22), ("base", 65)])
def test_cost_is_within_the_family_s_budget(name, budget):
    assert 0.7 * budget < cost_gmac(CONFIGS[name]) <= budget


def test_cost_grows_with_the_area():
    assert cost_gmac(SMALL, 1440, 2560) == pytest.approx(4 * cost_gmac(SMALL, 720, 1280))


@pytest.mark.parametrize(
    "sizes",
    [
        {"widths": (0, 8, 8)},
        {"hidden": 9},
        {"encoder": (1, 1, 0)},
        {"decoder": (1, 0)},
        {"filters": 0},
    ],
)
def test_impossible_sizes_are_refused(sizes):
    fields = {
        "widths": (8, 8, 8),
        "encoder": (1, 1, 1),
        "decoder": (1, 1),
        "hidden": 8,
        "filters": 8,
    }
    with pytest.raises(ValueError, match=r"at least 1|above the 8"):
        NetworkConfig(**fields | sizes)


def test_weights_survive_the_file_as_float16(network, tmp_path):
    path = tmp_path / "w.npz"
    save_weights(path, SMALL, network)
    model = load(str(path))
    assert model.config == SMALL
    for before, after in zip(network.weights, model.network.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before).astype(np.float16))
    assert [entry.name for entry in tmp_path.iterdir()] == ["w.npz"]


def test_damaged_and_foreign_weights_are_refused_in_one_line(network, tmp_path):
    path = tmp_path / "w.npz"
    save_weights(path, SMALL, network)
    cut = tmp_path / "cut.npz"
    cut.write_bytes(path.read_bytes()[:-100])
    text = tmp_path / "text.npz"
    text.write_text("hello")
    rotten = tmp_path / "rotten.npz"
    raw = bytearray(path.read_bytes())
    raw[200:260] = bytes(60)
    rotten.write_bytes(raw)
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, config=json.dumps(SMALL.to_json()), a=np.zeros(3))
    odd = tmp_path / "odd.npz"
    np.savez(odd, config=json.dumps({"depth": 3}))
    for bad in (cut, text, rotten, foreign, odd, tmp_path / "none.npz"):
        with pytest.raises(WeightsError) as failure:
            load(str(bad))
        assert "\n" not in str(failure.value)
        assert bad.name in str(failure.value)
        assert "pickle" not in str(failure.value)


BACKEND_PROGRAM = """
import sys, numpy as np
from models.keras_network import load
model = load(sys.argv[1])
given = np.load(sys.argv[2])
residual, hidden = model.network.predict_on_batch([given[k] for k in "fh"])
np.savez(sys.argv[3], residual=np.asarray(residual), hidden=np.asarray(hidden))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_every_backend_gives_what_the_network_says(backend, network, tmp_path):
    pytest.importorskip(backend, reason=f"Keras' {backend} backend is not installed")
    save_weights(tmp_path / "w.npz", SMALL, network)
    given = dict(zip("fh", inputs(batch=2), strict=True))
    np.savez(tmp_path / "in.npz", **given)
    subprocess.run(
        [
            sys.executable,
            "-c",
            BACKEND_PROGRAM,
            *(tmp_path / f"{n}.npz" for n in ("w", "in", "out")),
        ],
        env=os.environ | few_steps.QUICK | {"KERAS_BACKEND": backend},
        check=True,
    )
    weights = registry.load(str(tmp_path / "w.npz"))
    residual, hidden = Reference(SMALL, weights.arrays)(*given.values())
    with np.load(tmp_path / "out.npz") as other:
        # sums of some 500 float32 products
        np.testing.assert_allclose(other["residual"], residual, atol=2e-5)
        np.testing.assert_allclose(other["hidden"], hidden, atol=2e-5)
