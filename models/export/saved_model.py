"""The step as a TensorFlow SavedModel; its state has the channels last."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.export.step import (
    NEXT_HIDDEN,
    RESIDUALS,
    Size,
    Step,
    Tensors,
    hidden_shape,
    input_names,
    plane_shapes,
)
from models.keras_network import Model, assembled
from models.network import MULTIPLE
from models.onnx_graph import OUTPUTS
from models.planes import CHANNELS, padded_length
from models.registry import Weights

SIGNATURE = "serving_default"


def write(weights: Weights, path: Path, size: Size | None, precision: str = "float32") -> None:
    """Write a SavedModel folder with one signature, in float32.

    size: the only frame size it takes, any; without one it takes every batch and all sides that
    are multiples of 16.
    """
    module = tf.Module()
    module.step = _step_function(assembled(weights), size)
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: module.step})


def write_network(weights: Weights, path: Path, size: Size) -> None:
    """Write the network alone for frames of one size: the ports of `models.onnx_graph.network`.

    The channels come last.
    """
    model = assembled(weights)
    rows, columns, hidden = hidden_shape(size, model.config.hidden)
    channels = CHANNELS * (1 + model.neighbours)
    signature = [
        tf.TensorSpec((1, 2 * rows, 2 * columns, channels), tf.float32, "frames"),
        tf.TensorSpec((1, rows, columns, hidden), tf.float32, "hidden"),
    ]
    values = _values(model)

    def step(frames: Any, hidden: Any) -> dict[str, Any]:
        made, _ = model.network.stateless_call(values, [], [frames, hidden])
        return dict(zip(OUTPUTS, made, strict=True))

    module = tf.Module()
    module.step = tf.function(step, input_signature=signature, autograph=False)
    tf.saved_model.save(module, str(path), signatures={SIGNATURE: module.step})


def _values(model: Model) -> list[np.ndarray]:
    """Return the weights as constants that a runtime can fold and pack."""
    return [keras.ops.convert_to_numpy(variable) for variable in model.network.weights]


def _step_function(model: Model, size: Size | None) -> Any:
    """Make one frame's step."""
    network, weights = model.network, _values(model)

    def step(*inputs: Any) -> dict[str, Any]:
        *planes, hidden = inputs
        current, *others = (
            _features(planes[index : index + 3], size) for index in range(0, len(planes), 3)
        )
        frames = tf.concat([current, *(other - current for other in others)], -1)
        (residual, next_hidden), _ = network.stateless_call(weights, [], [frames, hidden])
        parts = zip(tf.split(residual, [16, 4, 4], -1), (4, 2, 2), strict=True)
        residuals = [tf.nn.depth_to_space(part, block)[..., 0] for part, block in parts]
        if size:
            shapes = zip(residuals, plane_shapes(size), strict=True)
            residuals = [plane[:, :rows, :columns] for plane, (rows, columns) in shapes]
        return dict(zip((*RESIDUALS, NEXT_HIDDEN), (*residuals, next_hidden), strict=True))

    return tf.function(step, input_signature=_signature(model, size), autograph=False)


def _features(planes: list[Any], size: Size | None) -> Any:
    """Nominal planes (N, H, W) and twice (N, H/2, W/2) to (N, H/4, W/4, 24)."""
    y, u, v = _padded(planes, size) if size else planes
    packed = [
        tf.nn.space_to_depth(plane[..., None], block)
        for plane, block in ((y - 0.5, 4), (u, 2), (v, 2))
    ]
    return tf.concat(packed, -1)


def _padded(planes: list[Any], size: Size) -> list[Any]:
    rows, columns = (padded_length(side, MULTIPLE) for side in size)
    y, u, v = planes
    return [_grown(y, rows, columns), *(_grown(each, rows // 2, columns // 2) for each in (u, v))]


def _grown(plane: Any, height: int, width: int) -> Any:
    """Repeat the last row and column of (N, H, W) until it is (N, height, width)."""
    rows, columns = height - plane.shape[1], width - plane.shape[2]
    if rows:
        plane = tf.concat([plane, tf.repeat(plane[:, -1:], rows, axis=1)], 1)
    if columns:
        plane = tf.concat([plane, tf.repeat(plane[:, :, -1:], columns, axis=2)], 2)
    return plane


def _signature(model: Model, size: Size | None) -> list[Any]:
    names, hidden = input_names(model.neighbours), model.config.hidden
    pictures = 1 + model.neighbours
    free = (None, None)
    shapes: list[tuple[int | None, ...]] = [free] * (3 * pictures) + [(*free, hidden)]
    if size:
        shapes = [*plane_shapes(size) * pictures, hidden_shape(size, hidden)]
    batch = 1 if size else None
    return [
        tf.TensorSpec((batch, *shape), tf.float32, name)
        for name, shape in zip(names, shapes, strict=True)
    ]


def open_step(path: Path) -> Step:
    """The step of a SavedModel folder."""
    signature = tf.saved_model.load(str(path)).signatures[SIGNATURE]

    def step(inputs: Tensors) -> Tensors:
        outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return step
