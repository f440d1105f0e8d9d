"""Begin a larger network where a smaller one of the family has come to.

The small network becomes a part of the large one that nothing new feeds into, so the large one
starts with the same outputs and every new channel is free to learn (function-preserving growth:
Chen, Goodfellow and Shlens, "Net2Net", ICLR 2016; here without copies of channels).
"""

import keras
import numpy as np
from keras import ops

from models.errors import WeightsError
from models.network import NetworkConfig
from models.registry import Weights


def grow(
    network: keras.Model,
    config: NetworkConfig,
    smaller: Weights,
) -> None:
    """Fill part of a fresh `network` with the weights of a `smaller` one.

    Args:
        network: of `models.keras_network.build`; blocks that `smaller` lacks stay identities.
        config: of `network`.
        smaller: as `registry.load` gives them.

    Raises:
        WeightsError: a size of `smaller` is above that of `config`.
    """
    variables = {variable.path: variable for variable in network.weights}
    for path, array in smaller.arrays.items():
        large = variables.get(path)
        if large is None or any(a > b for a, b in zip(array.shape, large.shape, strict=True)):
            raise WeightsError(
                f"{smaller.path} is no smaller than the model that is to begin from it"
            )
        value = ops.convert_to_numpy(large.value).copy()
        value[..., : array.shape[-1]] = 0  # what is there already hears nothing new
        value[_places(path, array, config, smaller.config)] = array
        large.assign(value)


def _places(
    path: str, array: np.ndarray, config: NetworkConfig, smaller: NetworkConfig
) -> tuple[np.ndarray, ...]:
    """Where the elements of `array` belong in the variable of that path of the large network."""
    axes = [np.arange(length) for length in array.shape]
    if path == "fuse/first/kernel":  # reads x and the hidden state, one behind the other
        axes[-2][smaller.widths[1] :] += config.widths[1] - smaller.widths[1]
    return np.ix_(*axes)
