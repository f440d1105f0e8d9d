"""The network as an ONNX graph, written operation by operation: what runtimes are given.

Needs the weights alone, no Keras: a program that runs the network from here starts in a moment.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.errors import WeightsError
from models.network import NEGATIVE_SLOPE, Layers, connect, fresh_hidden
from models.planes import CHANNELS
from models.registry import Weights

OPSET = 18
IR_VERSION = 10  # of onnx 1.17, the oldest that we take: newer runtimes read it too

Shape: TypeAlias = tuple[int | str, ...]
"""Of a tensor; names stand for sizes that are free."""

INPUTS, OUTPUTS = ("frames", "hidden"), ("residual", "next_hidden")
"""Of the network alone."""


def network(weights: Weights, size: tuple[int, int] | None = None) -> bytes:
    """Return an ONNX file of the network alone, without the planes.

    Inputs: frames (1, 24 * (1 + neighbours), h, w) as `models.network.connect` takes them, and
    hidden (1, hidden, h/2, w/2). Outputs: residual (1, 24, h, w), next_hidden. All are float32.

    Args:
        weights: of the network.
        size: height and width of the only frames that it takes; without it, h and w are free.
    """
    graph = Graph()
    layers = layers_of(graph, weights)
    results = connect(weights.config, layers, *INPUTS, weights.neighbours)
    for made, name in zip(results, OUTPUTS, strict=True):
        graph.add("Identity", [made], name)
    state: Shape = (1, weights.config.hidden, "h/2", "w/2")
    grid: Shape = ("h", "w")
    if size:
        _, rows, columns, depth = fresh_hidden(weights.config, 1, *size).shape
        state, grid = (1, depth, rows, columns), (2 * rows, 2 * columns)
    model = graph.model(
        weights.name,
        zip(INPUTS, ((1, CHANNELS * (1 + weights.neighbours), *grid), state), strict=True),
        zip(OUTPUTS, ((1, CHANNELS, *grid), state), strict=True),
    )
    content: bytes = model.SerializeToString()
    return content


class Graph:
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

    def slice(self, value: str, axis: int, start: int, stop: int) -> str:
        """Add what takes a part of an axis, from `start` up to `stop`."""
        bounds = [self.integers(number) for number in (start, stop, axis)]
        return self.add("Slice", [value, *bounds])

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


def layers_of(graph: Graph, weights: Weights) -> Layers:
    """Return what `models.network.connect` lays a network of these weights out in."""
    return _OnnxLayers(graph, weights)


class _OnnxLayers:
    """See `models.network.Layers`; the channels come first."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
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
        return self._graph.slice(x, 1, start, stop)

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
