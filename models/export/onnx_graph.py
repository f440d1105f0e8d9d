"""The step as an ONNX graph, written operation by operation; its state has the channels first.

The network is small and plain enough (convolutions, leaky ReLU, sums, products, joins, nearest
upsampling, tanh) that its graph is shorter than the choice of a converter.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.blocks import NEGATIVE_SLOPE, ResidualBlock
from models.export.check import calibration_inputs
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
from models.network import MULTIPLE
from models.planes import CHANNELS, chroma_shape, padded_length
from models.registry import Model
from models.runtimes import onnx_session

OPSET = 18
_CALIBRATION_SIZE = (192, 320)
IR_VERSION = 10  # of onnx 1.17, the oldest that we take: newer runtimes read it too


def write(model: Model, path: Path, size: Size | None, precision: str = "float32") -> None:
    """Write an ONNX file.

    size: the only frame size it takes, any; without one it takes every batch and all sides that
    are multiples of 16. precision: float32; int8, of weights and activations, whose ranges are
    those of some drawn clips. Inputs and outputs are always float32.
    """
    graph = _Graph()
    names = _write_step(graph, model, size)
    shapes = _shapes(model, size)
    inputs, outputs = (
        [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
            for n, s in zip(ns, shapes, strict=True)
        ]
        for ns in ((*PLANES, *STATE), names)
    )
    made = helper.make_model(
        helper.make_graph(graph.nodes, model.name, inputs, outputs, graph.constants),
        producer_name="deblurstream",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(made, full_check=True)
    if precision == "int8":
        made = _quantized(made, model, size)
    path.write_bytes(made.SerializeToString())


def _quantized(made: onnx.ModelProto, model: Model, size: Size | None) -> onnx.ModelProto:
    """Calibrated on small frames that need the same padding: ranges don't depend on the size."""
    from models.export.onnx_int8 import quantized  # seldom needed

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        write(model, path, None)
        step = open_step(path)
    height, width = (
        have - (padded_length(side, MULTIPLE) - side)
        for have, side in zip(_CALIBRATION_SIZE, size or _CALIBRATION_SIZE, strict=True)
    )
    shapes = dict(zip(PLANES, plane_shapes((height, width)), strict=True))
    calibration = calibration_inputs(
        step, _CALIBRATION_SIZE, model.config.hidden, channels_first=True
    )
    return quantized(
        made,
        (
            inputs
            | {name: inputs[name][:, :rows, :columns] for name, (rows, columns) in shapes.items()}
            for inputs in calibration
        ),
    )


def _shapes(model: Model, size: Size | None) -> list[tuple[int | str, ...]]:
    """Of the inputs, which are those of the outputs too; names stand for sizes that are free."""
    hidden = model.config.hidden
    if size is None:
        chroma = ("N", "H/2", "W/2")
        state = [("N", CHANNELS, "H/4", "W/4"), ("N", hidden, "H/8", "W/8")]
        return [("N", "H", "W"), chroma, chroma, *state]
    planes = [(1, *shape) for shape in plane_shapes(size)]
    return [
        *planes,
        *((1, depth, rows, columns) for rows, columns, depth in state_shapes(size, hidden)),
    ]


class _Graph:
    """Nodes and constants as they are added; a value is known by its name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node of one output; returns the output's name."""
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant vector of integers."""
        return self.constant(np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """Add a constant number."""
        return self.constant(np.array(value, np.float32))


def _write_step(graph: _Graph, model: Model, size: Size | None) -> list[str]:
    """Add the whole step; returns the names of its outputs."""
    planes = list(PLANES)
    if size:
        padded = [padded_length(side, MULTIPLE) for side in size]
        wanted = [padded, *[[side // 2 for side in padded]] * 2]
        planes = [
            _padded(graph, *pair) for pair in zip(planes, plane_shapes(size), wanted, strict=True)
        ]
    planes[0] = graph.add("Sub", [planes[0], graph.scalar(0.5)])
    packed = [
        graph.add(
            "SpaceToDepth", [graph.add("Unsqueeze", [plane, graph.integers(1)])], blocksize=block
        )
        for plane, block in zip(planes, (4, 2, 2), strict=True)
    ]
    features = graph.add("Concat", packed, NEXT_STATE[0], axis=1)
    residual, hidden = _write_network(graph, model.network, [features, *STATE])
    for name, start, stop, block in zip(
        RESIDUALS, (0, 16, 20), (16, 20, 24), (4, 2, 2), strict=True
    ):
        part = _sliced(graph, residual, 1, start, stop)
        plane = graph.add("DepthToSpace", [part], blocksize=block)
        if size:
            rows, columns = size if block == 4 else chroma_shape(*size)
            plane = _sliced(graph, _sliced(graph, plane, 2, 0, rows), 3, 0, columns)
        graph.add("Squeeze", [plane, graph.integers(1)], name)
    graph.add("Identity", [hidden], NEXT_STATE[1])
    return [*RESIDUALS, *NEXT_STATE]


def _padded(graph: _Graph, plane: str, have: Sequence[int], want: Sequence[int]) -> str:
    rows, columns = (after - before for before, after in zip(have, want, strict=True))
    if rows or columns:
        return graph.add("Pad", [plane, graph.integers(0, 0, 0, 0, rows, columns)], mode="edge")
    return plane


def _sliced(graph: _Graph, value: str, axis: int, start: int, stop: int) -> str:
    bounds = [graph.integers(number) for number in (start, stop, axis)]
    return graph.add("Slice", [value, *bounds])


def _write_network(graph: _Graph, network: keras.Model, inputs: Sequence[str]) -> list[str]:
    """Add a functional Keras model by replaying its calls; returns the names of its outputs."""
    values = {id(x): (x, name) for x, name in zip(network.inputs, inputs, strict=True)}

    def replay(operation: Any, *args: Any, **options: Any) -> Any:
        result = operation(*args, **options)
        known = [
            [values[id(x)][1] for x in arg]
            if isinstance(arg, list) and arg and id(arg[0]) in values
            else values[id(arg)][1]
            if id(arg) in values
            else arg
            for arg in args
        ]
        write = _WRITERS.get(type(operation).__name__)
        if write is None:
            raise TypeError(f"there is no ONNX for {operation!r}")
        values[id(result)] = (result, write(graph, operation, *known))
        return result

    replayed = keras.models.clone_model(
        network,
        input_tensors=network.inputs,
        clone_function=lambda layer: layer,
        call_function=replay,
    )
    return [values[id(output)][1] for output in replayed.outputs]


def _convolution(graph: _Graph, layer: Any, x: str) -> str:
    kernel, bias = (keras.ops.convert_to_numpy(part) for part in (layer.kernel, layer.bias))
    side, stride = kernel.shape[0], layer.strides[0]
    before, after = (side - stride) // 2, (side - 1) // 2  # as Keras pads "same", for even sides
    return graph.add(
        "Conv",
        [x, graph.constant(kernel.transpose(3, 2, 0, 1)), graph.constant(bias)],
        kernel_shape=[side, side],
        strides=[stride, stride],
        pads=[before, before, after, after],
    )


def _leaky(graph: _Graph, x: str, slope: float) -> str:
    return graph.add("LeakyRelu", [x], alpha=slope)


def _residual_block(graph: _Graph, block: ResidualBlock, x: str | list[str]) -> str:
    inputs = x if isinstance(x, list) else [x]
    joined = graph.add("Concat", inputs, axis=1) if len(inputs) > 1 else inputs[0]
    hidden = _convolution(graph, block.first, _leaky(graph, joined, NEGATIVE_SLOPE))
    change = _convolution(graph, block.second, _leaky(graph, hidden, NEGATIVE_SLOPE))
    return graph.add("Add", [inputs[0], change])


def _upsampling(graph: _Graph, layer: Any, x: str) -> str:
    scales = graph.constant(np.array([1, 1, *layer.size], np.float32))
    return graph.add(
        "Resize",
        [x, "", scales],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _channels(graph: _Graph, operation: Any, x: str, key: Any) -> str:
    ellipsis, channels = key
    if ellipsis is not Ellipsis or channels.step is not None:
        raise TypeError(f"there is no ONNX for the part {key}")
    return _sliced(graph, x, 1, channels.start or 0, channels.stop)


def _arithmetic(kind: str) -> Any:
    def write(graph: _Graph, operation: Any, *terms: Any) -> str:
        names = [term if isinstance(term, str) else graph.scalar(term) for term in terms]
        return graph.add(kind, names)

    return write


_WRITERS: dict[str, Any] = {
    "Add": _arithmetic("Add"),
    "Concatenate": lambda graph, operation, parts: graph.add("Concat", parts, axis=1),
    "Conv2D": _convolution,
    "GetItem": _channels,
    "LeakyRelu": lambda graph, operation, x: _leaky(graph, x, operation.negative_slope),
    "Multiply": _arithmetic("Mul"),
    "ResidualBlock": _residual_block,
    "Tanh": lambda graph, operation, x: graph.add("Tanh", [x]),
    "UpSampling2D": _upsampling,
}
"""How to write each Keras operation, by the name of its class: (graph, operation, arguments)."""


def open_step(path: Path) -> Step:
    """The step of an ONNX file, in ONNX Runtime on the CPU."""
    session = onnx_session(str(path))
    names = [output.name for output in session.get_outputs()]

    def step(inputs: Tensors) -> Tensors:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return step
