"""What training minimises."""

from typing import Any

from keras import ops

from models.planes import RGB_ERROR_WEIGHTS

EPSILON = 1e-6
"""Squared error, in nominal units, added under the root: frames above 60 dB count no further."""


def root_mean_square_error(sharp: Any, restored: Any) -> Any:
    """The RGB root-mean-square error of each frame, averaged over the frames of a batch.

    Both are nominal features (N, T, h, w, 24). Taking the root per frame keeps strongly blurred
    frames from drowning the lightly blurred ones, whose error is ten times smaller.
    """
    error = ops.square(ops.cast(restored, "float32") - ops.cast(sharp, "float32"))
    return ops.mean(ops.sqrt(_rgb(ops.mean(error, axis=(2, 3))) + EPSILON))


def charbonnier(sharp: Any, restored: Any) -> Any:
    """The mean smoothed absolute error of the same features, weighted as in RGB."""
    error = ops.square(ops.cast(restored, "float32") - ops.cast(sharp, "float32"))
    return ops.mean(_rgb(ops.sqrt(error + EPSILON)))


def _rgb(errors: Any) -> Any:
    """Sum (..., 24) with the weights that errors of planes have in RGB."""
    return ops.sum(errors * ops.convert_to_tensor(RGB_ERROR_WEIGHTS), axis=-1)


LOSSES = {"rmse": root_mean_square_error, "charbonnier": charbonnier}
