"""The Keras layers that the network is made of."""

from typing import Any

import keras
from keras import ops

from models.network import NEGATIVE_SLOPE


def convolution(filters: int, name: str, *, strides: int = 1, zero: bool = False) -> Any:
    """A 3x3 convolution, he-normal initialised, or at zero for the last one of a branch."""
    initializer = "zeros" if zero else keras.initializers.HeNormal()
    return keras.layers.Conv2D(
        filters, 3, strides=strides, padding="same", kernel_initializer=initializer, name=name
    )


@keras.saving.register_keras_serializable("deblurstream")
class ResidualBlock(keras.layers.Layer):  # type: ignore[misc]
    """x + conv(act(conv(act([x, context])))): starts as the identity.

    The second convolution starts at zero: with plain he-normal initialisation the loss doubles in
    the first steps and units die.
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.first = convolution(filters, "first")
        self.second = convolution(filters, "second", zero=True)

    def build(self, input_shape: Any) -> None:
        """Create the weights for x, or for [x, context] joined along the channels."""
        shapes = input_shape if isinstance(input_shape[0], list | tuple) else [input_shape]
        channels = sum(shape[-1] for shape in shapes)
        self.first.build((*shapes[0][:-1], channels))
        self.second.build((*shapes[0][:-1], self.filters))
        self.built = True

    def call(self, inputs: Any) -> Any:
        """(N, h, w, filters), optionally with (N, h, w, C) of context, to (N, h, w, filters)."""
        tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
        joined = ops.concatenate(tensors, axis=-1) if len(tensors) > 1 else tensors[0]
        hidden = self.first(ops.leaky_relu(joined, NEGATIVE_SLOPE))
        return tensors[0] + self.second(ops.leaky_relu(hidden, NEGATIVE_SLOPE))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of x."""
        return input_shape[0] if isinstance(input_shape[0], list | tuple) else input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "filters": self.filters}
