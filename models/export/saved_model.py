"""The step as a TensorFlow SavedModel; its state has the channels last."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from models.export.step import (
    NEXT_STATE,
    PLANES,
    RESIDUALS,
    STATE,
    Size,
    Step,
    Tensors,
    plane_shapes,
    state_shapes,
)
from models.keras_network import Model, assembled
from models.network import MULTIPLE
from models.planes import CHANNELS, pad_plane, padded_length
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


def _step_function(model: Model, size: Size | None) -> Any:
    """One frame's step, with the weights as constants that the runtime can fold and pack."""
    network = model.network
    weights = [keras.ops.convert_to_numpy(variable) for variable in network.weights]

    def step(y: Any, u: Any, v: Any, previous: Any, hidden: Any) -> dict[str, Any]:
        planes = _padded([y, u, v], size) if size else [y, u, v]
        planes[0] -= 0.5
        packed = [
            tf.nn.space_to_depth(plane[..., None], block)
            for plane, block in zip(planes, (4, 2, 2), strict=True)
        ]
        features = tf.concat(packed, -1)
        inputs = [features, previous, hidden]
        (residual, next_hidden), _ = network.stateless_call(weights, [], inputs)
        parts = zip(tf.split(residual, [16, 4, 4], -1), (4, 2, 2), strict=True)
        residuals = [tf.nn.depth_to_space(part, block)[..., 0] for part, block in parts]
        if size:
            shapes = zip(residuals, plane_shapes(size), strict=True)
            residuals = [plane[:, :rows, :columns] for plane, (rows, columns) in shapes]
        names = (*RESIDUALS, *NEXT_STATE)
        return dict(zip(names, (*residuals, features, next_hidden), strict=True))

    return tf.function(step, input_signature=_signature(model, size), autograph=False)


def _padded(planes: list[Any], size: Size) -> list[Any]:
    rows, columns = (padded_length(side, MULTIPLE) for side in size)
    y, u, v = planes
    chroma = (pad_plane(plane, rows // 2, columns // 2, keras.ops) for plane in (u, v))
    return [pad_plane(y, rows, columns, keras.ops), *chroma]


def _signature(model: Model, size: Size | None) -> list[Any]:
    hidden = model.config.hidden
    free = (None, None)
    shapes: list[tuple[int | None, ...]] = [free] * 3 + [(*free, CHANNELS), (*free, hidden)]
    if size:
        shapes = [*plane_shapes(size), *state_shapes(size, hidden)]
    batch = 1 if size else None
    return [
        tf.TensorSpec((batch, *shape), tf.float32, name)
        for name, shape in zip((*PLANES, *STATE), shapes, strict=True)
    ]


def open_step(path: Path) -> Step:
    """The step of a SavedModel folder."""
    signature = tf.saved_model.load(str(path)).signatures[SIGNATURE]

    def step(inputs: Tensors) -> Tensors:
        outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}

    return step
