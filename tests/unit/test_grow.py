"""A larger network that begins where a smaller one has come to."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models import registry
from models.errors import WeightsError
from models.keras_network import build
from models.network import NetworkConfig
from models.registry import Weights
from models.training.grow import grow

SMALLER = NetworkConfig((4, 8, 12), encoder=(1, 1, 1), decoder=(0, 1), hidden=4, filters=6)
LARGER = NetworkConfig((6, 12, 16), encoder=(2, 2, 2), decoder=(1, 2), hidden=10, filters=9)


@pytest.fixture(scope="module")
def networks():
    rng = np.random.default_rng(0)
    smaller, larger = build(SMALLER), build(LARGER)
    for variable in smaller.weights:
        variable.assign(0.1 * rng.normal(size=variable.shape))
    grow(larger, LARGER, weights_of(smaller, SMALLER))
    return smaller, larger


def weights_of(network, config):
    arrays = {variable.path: variable.numpy() for variable in network.weights}
    return Weights("other", Path("other.npz"), config, arrays)


def inputs():
    rng = np.random.default_rng(1)
    frames = rng.normal(size=(1, 8, 12, 72)).astype(np.float32)
    return frames, np.tanh(rng.normal(size=(1, 4, 6, 10))).astype(np.float32)


def test_a_grown_network_gives_the_same_output_whatever_its_new_state(networks):
    smaller, larger = networks
    frames, hidden = inputs()
    residual, state = smaller([frames, hidden[..., :4]])
    grown, grown_state = larger([frames, hidden])
    assert float(tf.reduce_max(tf.abs(residual))) > 1e-3
    np.testing.assert_allclose(grown, residual, atol=1e-5)
    np.testing.assert_allclose(grown_state[..., :4], state, atol=1e-5)


def test_every_variable_of_a_grown_network_can_learn(networks):
    """Once the first step has opened the branches that start at zero."""
    _, larger = networks
    for _ in range(3):
        with tf.GradientTape() as tape:
            residual, state = larger([*inputs()])
            loss = tf.reduce_mean(tf.square(residual - 1)) + tf.reduce_mean(tf.square(state))
        gradients = tape.gradient(loss, larger.trainable_variables)
        for variable, gradient in zip(larger.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.01 * gradient)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_a_network_does_not_grow_smaller(networks):
    _, larger = networks
    with pytest.raises(WeightsError, match="no smaller than the model"):
        grow(build(SMALLER), SMALLER, weights_of(larger, LARGER))


def test_the_family_can_grow_from_each_to_the_next():
    configs = list(registry.CONFIGS.values())
    for smaller, larger in pairwise(configs):
        grow(build(larger), larger, weights_of(build(smaller), smaller))
