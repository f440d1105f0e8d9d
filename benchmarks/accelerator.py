"""Time the networks on an accelerator with JAX, in bfloat16, beside chains of convolutions.

    python benchmarks/accelerator.py [--model tiny] [--size 1280x720] [--batch 1]

A frame's codes become corrected codes, state carried along: once with all of them in the
accelerator's memory, once copied from the host's memory and back for each frame. The ceiling is the
network's multiplications at the rates of chains of eight plain 3x3 convolutions, one of each
resolution's width, at the same batch.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from models import registry
from models.cost import costs_gmac
from models.keras_network import assign, build, computing_in
from models.network import MULTIPLE, NetworkConfig
from models.planes import CHANNELS, PATCH, Levels, channel_levels, padded_length
from stream.cli.arguments import positive_int, size

DEPTH = 8
"""Convolutions of a chain."""

ROUNDS, ROUND_S = 5, 0.1
HALF = jnp.bfloat16


def main() -> None:
    """Print a row per model, size and batch."""
    parser = argparse.ArgumentParser(description="Time the networks on an accelerator with JAX.")
    parser.add_argument("--model", action="append", choices=tuple(registry.CONFIGS))
    parser.add_argument("--size", type=size, action="append")
    parser.add_argument("--batch", type=positive_int, action="append")
    options = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, a matrix product {_matrix_product():.0f} TFLOP/s")
    print(f"{'model':<8}{'size':<12}{'batch':>6}{'ms a frame':>12}{'frames/s':>10}"
          f"{'with copies':>13}{'TFLOP/s':>9}{'of ceiling':>12}")  # fmt: skip
    for name in options.model or registry.CONFIGS:
        config = registry.CONFIGS[name]
        for width, height in options.size or [(1280, 720), (1920, 1080), (3840, 2160)]:
            costs = costs_gmac(config, height, width)
            for batch in options.batch or [1, 4, 8]:
                inside, copied = _frame_s(name, config, height, width, batch)
                ideal = sum(
                    2e9 * cost / _chain_rate(height, width, divisor, channels, batch)
                    for (divisor, cost), channels in zip(costs.items(), config.widths, strict=True)
                )
                tflops = 2e-3 * sum(costs.values()) / inside
                print(f"{name:<8}{f'{width}x{height}':<12}{batch:>6}{1e3 * inside:>12.3f}"
                      f"{1 / inside:>10.0f}{1 / copied:>13.0f}{tflops:>9.1f}"
                      f"{ideal / inside:>11.0%}", flush=True)  # fmt: skip


def _matrix_product(side: int = 8192) -> float:
    if jax.default_backend() == "cpu":
        side = 512
    a = jax.random.normal(jax.random.key(0), (side, side), HALF)
    product = jax.jit(jnp.matmul)
    return 2e-12 * side**3 / _call_s(lambda: product(a, a))


def _frame_s(
    name: str, config: NetworkConfig, height: int, width: int, batch: int
) -> tuple[float, float]:
    """Seconds of a frame, inside the accelerator and with copies."""
    with computing_in("mixed_bfloat16"):
        network = build(config)
    if name in registry.shipped():
        weights = registry.load(name)
        assign(network, weights.arrays, weights.path)
    values = [variable.value for variable in network.trainable_variables]
    offset, scale = channel_levels(Levels())

    def step(codes: Any, state: Any) -> Any:
        current = (codes.astype(jnp.float32) - offset) / scale
        (residual, hidden), _ = network.stateless_call(values, [], [current, *state])
        corrected = jnp.round((current + residual) * scale + offset)
        return jnp.clip(corrected, 0, 255).astype(jnp.uint8), (current, hidden)

    rows, columns = (padded_length(side, MULTIPLE) // PATCH for side in (height, width))
    codes = np.random.default_rng(0).integers(16, 236, (batch, rows, columns, CHANNELS), np.uint8)
    placed = jnp.asarray(codes)
    state = [
        (
            jnp.zeros(codes.shape),
            jnp.zeros((batch, rows // 2, columns // 2, config.hidden), HALF),
        )
    ]
    compiled = jax.jit(step, donate_argnums=1)

    def advance(given: Any) -> Any:
        corrected, state[0] = compiled(given, state[0])
        return corrected

    inside = _call_s(lambda: advance(placed))
    copied = _call_s(lambda: np.asarray(advance(codes)))
    return inside / batch, copied / batch


def _chain_rate(height: int, width: int, divisor: int, channels: int, batch: int) -> float:
    """FLOP/s of a chain of convolutions at a resolution."""
    rows, columns = (padded_length(side, MULTIPLE) // divisor for side in (height, width))
    keys = jax.random.split(jax.random.key(0), DEPTH + 1)
    x = jax.random.normal(keys[0], (batch, rows, columns, channels), HALF)
    kernels = [jax.random.normal(key, (3, 3, channels, channels), HALF) / channels
               for key in keys[1:]]  # fmt: skip

    @jax.jit
    def chain(x: Any, kernels: list[Any]) -> Any:
        for kernel in kernels:
            x = lax.conv_general_dilated(
                x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        return x

    flop = 2 * DEPTH * batch * rows * columns * 9 * channels**2
    return flop / _call_s(lambda: chain(x, kernels))


def _call_s(call: Callable[[], Any]) -> float:
    """Seconds of a call that goes on as the last one ends: the median of some rounds."""
    jax.block_until_ready(call())
    count, times = 1, []
    while len(times) < ROUNDS:
        began = time.perf_counter()
        for _ in range(count):
            last = call()
        jax.block_until_ready(last)
        took = time.perf_counter() - began
        if took < ROUND_S and not times:
            count *= 2
        else:
            times.append(took / count)
    return statistics.median(times)


if __name__ == "__main__":
    main()
