"""What this machine can do at best: chains of plain 3x3 convolutions, and a matrix product."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from models.network import LEVELS, MULTIPLE, NetworkConfig
from models.onnx_graph import IR_VERSION, OPSET
from models.packages import is_installed
from models.planes import PATCH, padded_length
from models.runtimes import MnnSession, available_cores, mnn_model, onnx_session
from stream.inference.device import Compute

DEPTH = 8
"""Convolutions in a chain."""

MATRIX = 1024
"""Rows and columns of the matrix product."""


@dataclass(frozen=True, slots=True)
class Load:
    """Something to time: `call` returns when its result is there.

    `divisor` is of the frame's resolution, for a chain.
    """

    call: Callable[[], object]
    gflop: float
    divisor: int = 0


def convolution_chains(
    config: NetworkConfig, compute: Compute, height: int, width: int
) -> dict[str, Load]:
    """A chain for each resolution of the trunk, with the network's width there.

    On TensorFlow, for float32 and int8 on a CPU on ONNX Runtime too, and for float32 on MNN, where
    they are installed. Each counts the products of a plain convolution, of which Winograd's
    computes fewer.
    """
    loads = {}
    on_cpu = compute.device == "cpu" and compute.precision in ("float32", "int8")
    on_mnn = on_cpu and compute.precision == "float32" and is_installed("MNN")
    on_onnx = on_cpu and is_installed("onnxruntime")
    for level, channels in zip(range(LEVELS), config.widths, strict=True):
        divisor = PATCH << level
        rows, columns = (padded_length(side, MULTIPLE) // divisor for side in (height, width))
        x = tf.random.stateless_normal((1, rows, columns, channels), (0, 0))
        kernel = tf.random.stateless_normal((3, 3, channels, channels), (0, 1)) / channels
        gflop = 2e-9 * DEPTH * rows * columns * 9 * channels**2
        name = f"{DEPTH} x {channels} at 1/{divisor}"
        loads[f"TensorFlow {name}"] = Load(_compiled(_chain, compute, x, kernel), gflop, divisor)
        if on_onnx or on_mnn:
            chain = _onnx_chain(x.numpy(), kernel.numpy(), compute.precision)
        if on_onnx:
            loads[f"ONNX Runtime {name}"] = Load(_on_onnx(chain), gflop, divisor)
        if on_mnn:
            loads[f"MNN {name}"] = Load(_on_mnn(chain), gflop, divisor)
    return loads


def matrix_product(compute: Compute) -> Load:
    """The product of two square matrices."""
    a, b = (tf.random.stateless_normal((MATRIX, MATRIX), (0, seed)) for seed in (0, 1))
    return Load(_compiled(tf.linalg.matmul, compute, a, b), 2e-9 * MATRIX**3)


def _chain(x: Any, kernel: Any) -> Any:
    for _ in range(DEPTH):
        x = tf.nn.conv2d(x, kernel, 1, "SAME")
    return x


def _onnx_chain(x: np.ndarray, kernel: np.ndarray, precision: str) -> bytes:
    given = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    nodes = [
        helper.make_node("Conv", [f"x{index}", f"kernel{index}"], [f"x{index + 1}"], pads=[1] * 4)
        for index in range(DEPTH)
    ]
    first, last = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, given.shape)
        for name in ("x0", f"x{DEPTH}")
    )
    # no two alike: MNN does not prepare a kernel that several share
    weights = [
        numpy_helper.from_array(np.roll(kernel.transpose(3, 2, 0, 1), index, 0), f"kernel{index}")
        for index in range(DEPTH)
    ]
    made = helper.make_model(
        helper.make_graph(nodes, "chain", [first], [last], weights),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    if precision == "int8":
        from models.export.onnx_int8 import quantized

        made = quantized(made, [{"x0": given}])
    content: bytes = made.SerializeToString()
    return content


def _on_onnx(chain: bytes) -> Callable[[], object]:
    session = onnx_session(chain)
    given = {port.name: np.zeros(port.shape, np.float32) for port in session.get_inputs()}
    return lambda: session.run(None, given)


def _on_mnn(chain: bytes) -> Callable[[], object]:
    session = MnnSession(mnn_model(chain), available_cores())
    for port in session.inputs.values():
        session.tensor(*port.getShape()[1:]).copy_to(port)
    return session.run


def _compiled(function: Callable[..., Any], compute: Compute, *inputs: Any) -> Callable[[], object]:
    dtype = "float32" if compute.precision == "int8" else compute.precision  # TensorFlow has none
    given = [tf.cast(value, dtype) for value in inputs]
    step = tf.function(function, jit_compile=compute.device == "gpu", autograph=False)
    # one number crosses to the host: it waits for the rest, and costs nothing
    return lambda: step(*given)[(0,) * given[0].shape.rank].numpy()
