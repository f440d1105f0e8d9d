"""What this machine can do at best: chains of plain 3x3 convolutions, and a matrix product."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from models.network import LEVELS, MULTIPLE, NetworkConfig
from models.planes import PATCH, padded_length
from stream.inference.device import Compute

DEPTH = 4
"""Convolutions in a chain."""

MATRIX = 1024
"""Rows and columns of the matrix product."""


@dataclass(frozen=True, slots=True)
class Load:
    """Something to time: `call` returns when its result is there."""

    call: Callable[[], object]
    gflop: float


def convolution_chains(
    config: NetworkConfig, compute: Compute, height: int, width: int
) -> dict[str, Load]:
    """A chain for each resolution of the trunk, with the network's width there."""
    loads = {}
    for level, channels in zip(range(LEVELS), config.widths, strict=True):
        rows, columns = (
            padded_length(side, MULTIPLE) // (PATCH << level) for side in (height, width)
        )
        x = tf.random.stateless_normal((1, rows, columns, channels), (0, 0))
        kernel = tf.random.stateless_normal((3, 3, channels, channels), (0, 1)) / channels
        gflop = 2e-9 * DEPTH * rows * columns * 9 * channels**2
        name = f"{DEPTH} x {channels} at 1/{PATCH << level}"
        loads[name] = Load(_compiled(_chain, compute, x, kernel), gflop)
    return loads


def matrix_product(compute: Compute) -> Load:
    """The product of two square matrices."""
    a, b = (tf.random.stateless_normal((MATRIX, MATRIX), (0, seed)) for seed in (0, 1))
    return Load(_compiled(tf.linalg.matmul, compute, a, b), 2e-9 * MATRIX**3)


def _chain(x: Any, kernel: Any) -> Any:
    for _ in range(DEPTH):
        x = tf.nn.conv2d(x, kernel, 1, "SAME")
    return x


def _compiled(function: Callable[..., Any], compute: Compute, *inputs: Any) -> Callable[[], object]:
    given = [tf.cast(value, compute.precision) for value in inputs]
    step = tf.function(function, jit_compile=compute.device == "gpu", autograph=False)
    # one number crosses to the host: it waits for the rest, and costs nothing
    return lambda: step(*given)[(0,) * given[0].shape.rank].numpy()
