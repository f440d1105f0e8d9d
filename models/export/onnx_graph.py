"""The step as an ONNX graph, written operation by operation; its state has the channels first.

Needs the weights alone, no Keras: a program that runs the network from here starts in a moment.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.errors import WeightsError
from models.export.clips import calibration_inputs
from models.export.step import (
    HIDDEN,
    NEXT_HIDDEN,
    RESIDUALS,
    Size,
    Step,
    Tensors,
    hidden_shape,
    input_names,
    plane_shapes,
)
from models.network import MULTIPLE, NEGATIVE_SLOPE, connect
from models.planes import CHANNELS, chroma_shape, padded_length
from models.registry import Weights
from models.runtimes import onnx_session

OPSET = 18
Shape: TypeAlias = tuple[int | str, ...]
"""Of a tensor; names stand for sizes that are free."""

_CALIBRATION_SIZE = (192, 320)
IR_VERSION = 10  # of onnx 1.17, the oldest that we take: newer runtimes read it too


def write(weights: Weights, path: Path, size: Size | None, precision: str = "float32") -> None:
    """Write an ONNX file.

    size: the only frame size it takes, any; without one it takes every batch and all sides that
    are multiples of 16. precision: float32; int8, of weights and activations, whose ranges are
    those of some drawn clips. Inputs and outputs are always float32.
    """
    graph = _Graph()
    planes, hidden = _plane_shapes(size), _hidden_shape(weights.config.hidden, size)
    given = [*planes * (1 + weights.neighbours), hidden]
    made = graph.model(
        weights.name,
        zip(input_names(weights.neighbours), given, strict=True),
        zip(_write_step(graph, weights, size), [*planes, hidden], strict=True),
    )
    if precision == "int8":
        made = _quantized(made, weights, size)
    path.write_bytes(made.SerializeToString())


def network(weights: Weights, size: Size) -> bytes:
    """An ONNX file of the network alone, without the planes, for frames of one size.

    Inputs: frames (1, 24 * (1 + neighbours), h, w) as `models.network.connect` takes them, and
    hidden (1, hidden, h/2, w/2). Outputs: residual (1, 24, h, w), next_hidden. All are float32.
    """
    inputs, outputs = ("frames", HIDDEN), ("residual", NEXT_HIDDEN)
    graph = _Graph()
    layers = _OnnxLayers(graph, weights)
    results = connect(weights.config, layers, *inputs, weights.neighbours)
    for made, name in zip(results, outputs, strict=True):
        graph.add("Identity", [made], name)
    batch, _, rows, columns = state = _hidden_shape(weights.config.hidden, size)
    grid = 2 * int(rows), 2 * int(columns)
    model = graph.model(
        weights.name,
        zip(inputs, ((batch, CHANNELS * (1 + weights.neighbours), *grid), state), strict=True),
        zip(outputs, ((batch, CHANNELS, *grid), state), strict=True),
    )
    content: bytes = model.SerializeToString()
    return content


def _quantized(made: onnx.ModelProto, weights: Weights, size: Size | None) -> onnx.ModelProto:
    """Calibrated on small frames that need the same padding: ranges don't depend on the size."""
    from models.export.onnx_int8 import quantized  # seldom needed

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        write(weights, path, None)
        step = open_step(path)
    height, width = (
        have - (padded_length(side, MULTIPLE) - side)
        for have, side in zip(_CALIBRATION_SIZE, size or _CALIBRATION_SIZE, strict=True)
    )
    *names, _ = input_names(weights.neighbours)
    sizes = plane_shapes((height, width)) * (1 + weights.neighbours)
    shapes = dict(zip(names, sizes, strict=True))
    calibration = calibration_inputs(
        step, _CALIBRATION_SIZE, weights.config.hidden, weights.neighbours, channels_first=True
    )
    return quantized(
        made,
        (
            inputs
            | {name: inputs[name][:, :rows, :columns] for name, (rows, columns) in shapes.items()}
            for inputs in calibration
        ),
    )


def _plane_shapes(size: Size | None) -> list[Shape]:
    """Of a picture's planes; names stand for sizes that are free."""
    if size is None:
        return [("N", "H", "W"), ("N", "H/2", "W/2"), ("N", "H/2", "W/2")]
    return [(1, *shape) for shape in plane_shapes(size)]


def _hidden_shape(hidden: int, size: Size | None) -> Shape:
    """Of the hidden state; names stand for sizes that are free."""
    if size is None:
        return ("N", hidden, "H/8", "W/8")
    rows, columns, depth = hidden_shape(size, hidden)
    return (1, depth, rows, columns)


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

    def model(
        self, name: str, inputs: Iterable[tuple[str, Shape]], outputs: Iterable[tuple[str, Shape]]
    ) -> onnx.ModelProto:
        """All of it, with float32 inputs and outputs of these names and shapes."""
        given, made = (
            [helper.make_tensor_value_info(port, TensorProto.FLOAT, shape) for port, shape in ports]
            for ports in (inputs, outputs)
        )
        model = helper.make_model(
            helper.make_graph(self.nodes, name, given, made, self.constants),
            producer_name="deblurstream",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model, full_check=True)
        return model

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


def _write_step(graph: _Graph, weights: Weights, size: Size | None) -> list[str]:
    """Add the whole step; returns the names of its outputs."""
    *planes, hidden = input_names(weights.neighbours)
    current, *others = (
        _features(graph, planes[index : index + 3], size) for index in range(0, len(planes), 3)
    )
    layers = _OnnxLayers(graph, weights)
    frames = layers.join([current, *(graph.add("Sub", [each, current]) for each in others)])
    residual, hidden = connect(weights.config, layers, frames, hidden, weights.neighbours)
    for name, start, stop, block in zip(
        RESIDUALS, (0, 16, 20), (16, 20, 24), (4, 2, 2), strict=True
    ):
        part = _sliced(graph, residual, 1, start, stop)
        plane = graph.add("DepthToSpace", [part], blocksize=block)
        if size:
            rows, columns = size if block == 4 else chroma_shape(*size)
            plane = _sliced(graph, _sliced(graph, plane, 2, 0, rows), 3, 0, columns)
        graph.add("Squeeze", [plane, graph.integers(1)], name)
    graph.add("Identity", [hidden], NEXT_HIDDEN)
    return [*RESIDUALS, NEXT_HIDDEN]


def _features(graph: _Graph, planes: Sequence[str], size: Size | None) -> str:
    """Add what packs a picture's nominal planes: (N, 24, H/4, W/4)."""
    if size:
        padded = [padded_length(side, MULTIPLE) for side in size]
        wanted = [padded, *[[side // 2 for side in padded]] * 2]
        planes = [
            _padded(graph, *pair) for pair in zip(planes, plane_shapes(size), wanted, strict=True)
        ]
    y, u, v = planes
    centred = graph.add("Sub", [y, graph.scalar(0.5)])
    packed = [
        graph.add(
            "SpaceToDepth", [graph.add("Unsqueeze", [plane, graph.integers(1)])], blocksize=block
        )
        for plane, block in ((centred, 4), (u, 2), (v, 2))
    ]
    return graph.add("Concat", packed, axis=1)


def _padded(graph: _Graph, plane: str, have: Sequence[int], want: Sequence[int]) -> str:
    rows, columns = (after - before for before, after in zip(have, want, strict=True))
    if rows or columns:
        return graph.add("Pad", [plane, graph.integers(0, 0, 0, 0, rows, columns)], mode="edge")
    return plane


def _sliced(graph: _Graph, value: str, axis: int, start: int, stop: int) -> str:
    bounds = [graph.integers(number) for number in (start, stop, axis)]
    return graph.add("Slice", [value, *bounds])


class _OnnxLayers:
    """See `models.network.Layers`; the channels come first."""

    def __init__(self, graph: _Graph, weights: Weights) -> None:
        self._graph = graph
        self._weights = weights

    def convolution(
        self, x: str, filters: int, name: str, *, side: int = 3, stride: int = 1
    ) -> str:
        kernel, bias = (self._array(f"{name}/{part}") for part in ("kernel", "bias"))
        if kernel.shape[0] != side or kernel.shape[-1] != filters:
            raise WeightsError(f"{self._weights.path} holds the weights of another architecture")
        before, after = (side - stride) // 2, (side - 1) // 2  # as Keras pads, for even sizes
        return self._graph.add(
            "Conv",
            [x, self._graph.constant(kernel.transpose(3, 2, 0, 1)), self._graph.constant(bias)],
            name=name,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after],
        )

    def block(self, x: str, name: str, context: str | None = None) -> str:
        filters = len(self._array(f"{name}/second/bias"))
        joined = self.join([x, context]) if context else x
        hidden = self.convolution(self.activation(joined), filters, f"{name}/first")
        return self.add(x, self.convolution(self.activation(hidden), filters, f"{name}/second"))

    def activation(self, x: str) -> str:
        return self._graph.add("LeakyRelu", [x], alpha=NEGATIVE_SLOPE)

    def join(self, parts: Sequence[str]) -> str:
        return self._graph.add("Concat", parts, axis=1)

    def channels(self, x: str, start: int, stop: int) -> str:
        return _sliced(self._graph, x, 1, start, stop)

    def upsample(self, x: str) -> str:
        scales = self._graph.constant(np.array([1, 1, 2, 2], np.float32))
        return self._graph.add(
            "Resize",
            [x, "", scales],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def add(self, a: str, b: str) -> str:
        return self._graph.add("Add", [a, b])

    def multiply(self, a: str, b: str | float) -> str:
        return self._graph.add("Mul", [a, b if isinstance(b, str) else self._graph.scalar(b)])

    def tanh(self, x: str) -> str:
        return self._graph.add("Tanh", [x])

    def _array(self, name: str) -> np.ndarray:
        try:
            return self._weights.arrays[name].astype(np.float32)
        except KeyError as error:
            raise WeightsError(
                f"{self._weights.path} holds the weights of another architecture"
            ) from error


def open_step(path: Path) -> Step:
    """The step of an ONNX file, in ONNX Runtime on the CPU."""
    session = onnx_session(str(path))
    names = [output.name for output in session.get_outputs()]

    def step(inputs: Tensors) -> Tensors:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return step
