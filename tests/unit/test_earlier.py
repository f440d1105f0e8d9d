"""Weights of the network before neighbours were aligned: as they were, and to train on."""

from fractions import Fraction

import numpy as np
import pytest
from random_model import CONFIG

from models import registry
from models.errors import WeightsError
from models.keras_network import assign, build
from models.network import CAUSAL, GATES, LOOK_AHEAD
from models.reference import Reference
from stream.capture.synthetic import SyntheticSource
from stream.inference.deblurrer import Deblurrer


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A file as the earlier trainer wrote it."""
    rng = np.random.default_rng(0)
    arrays = {}
    for variable in build(CONFIG, neighbours=CAUSAL).weights:
        if variable.path.startswith(GATES):
            continue
        rows, columns, inputs, outputs = ((1, 1, 1, *tuple(variable.shape)))[-4:]
        if variable.path == "bank/kernel":
            inputs = 24
        shape = (rows, columns, inputs, outputs)[-len(variable.shape) :]
        gain = 0.1 if variable.path.startswith("head") else 1.0
        fan_in = max(1, int(np.prod(shape[:-1])))
        arrays[variable.path] = (gain * rng.normal(size=shape) / np.sqrt(fan_in)).astype("f2")
    path = tmp_path_factory.mktemp("earlier") / "earlier.npz"
    registry.write_weights(path, CONFIG, arrays)
    return path, arrays


def test_the_frame_before_counts_as_it_did(earlier):
    """A stem that sees the change of a frame sums up to the one that saw both."""
    path, arrays = earlier
    rng = np.random.default_rng(1)
    frame, before = rng.normal(size=(2, 1, 6, 8, 24))
    was = Reference(CONFIG, arrays)._layers
    now = Reference(CONFIG, registry.load(str(path)).arrays)._layers
    filters = CONFIG.widths[0]
    expected = was.convolution(np.concatenate([frame, before], axis=-1), filters, "stem")
    found = now.convolution(np.concatenate([frame, before - frame], axis=-1), filters, "stem")
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_they_are_given_the_frame_before_unmoved_and_grey_before_the_first(earlier):
    path, _ = earlier
    weights = registry.load(str(path))
    assert (weights.neighbours, weights.aligned) == (CAUSAL, False)
    deblurrer = Deblurrer(str(path), device="cpu", runtime="mnn", look_ahead=True, mend=False)
    given, run = [], deblurrer.engine.run

    def recorded(pictures, states, geometry, neighbours):
        given.extend(neighbours)
        return run(pictures, states, geometry, neighbours)

    deblurrer.engine.run = recorded
    clip = list(SyntheticSource(64, 48, 2, Fraction(30)).frames())
    for frame in clip:
        (made,) = deblurrer.process(frame)  # at once: they have no use for the next frame
        assert (made.planes.arrays[0] != frame.planes.arrays[0]).any()
    (first, _), (second, _) = given
    assert [np.unique(plane).tolist() for plane in first.arrays] == [[126], [128], [128]]
    for before, shown in zip(clip[0].planes.arrays, second.arrays, strict=True):
        np.testing.assert_array_equal(shown, before)


def test_training_begins_with_the_frame_alone(earlier):
    path, arrays = earlier
    begun = registry.load(str(path), to_train=True)
    assert (begun.neighbours, begun.aligned) == (LOOK_AHEAD, True)
    network = build(CONFIG)
    assign(network, begun.arrays, path)
    np.testing.assert_array_equal(begun.arrays["stem/kernel"][:, :, :24],
                                  arrays["stem/kernel"][:, :, :24])  # fmt: skip
    rng = np.random.default_rng(2)
    frames, hidden = rng.normal(size=(1, 8, 12, 72)), rng.normal(size=(1, 4, 6, CONFIG.hidden))
    alone = frames.copy()
    alone[..., 24:] = 0
    for one, other in zip(network([frames, hidden]), network([alone, hidden]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_of_neither_kind_is_named(earlier, tmp_path):
    _, arrays = earlier
    path = tmp_path / "foreign.npz"
    registry.write_weights(path, CONFIG, {k: v for k, v in arrays.items() if k != "bank/kernel"})
    with pytest.raises(
        WeightsError, match=r"foreign\.npz holds the weights of another architecture"
    ):
        registry.load(str(path))
