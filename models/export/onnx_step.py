"""The step as an ONNX file; its state has the channels first."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx

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
    network_frames,
    plane_shapes,
)
from models.network import MULTIPLE, connect
from models.onnx_graph import Graph, Shape, layers_of, network
from models.planes import chroma_shape, padded_length
from models.registry import Weights
from models.runtimes import onnx_runner

_CALIBRATION_SIZE = (192, 320)


def write(weights: Weights, path: Path, size: Size | None, precision: str = "float32") -> None:
    """Write an ONNX file.

    size: the only frame size it takes, any; without one it takes every batch and all sides that
    are multiples of 16. precision: float32; int8, of weights and activations, whose ranges are
    those of some drawn clips. Inputs and outputs are always float32.
    """
    graph = Graph()
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


def network_int8(weights: Weights, size: Size) -> bytes:
    """Return `models.onnx_graph.network` for frames of one size with its convolutions in int8."""
    from models.export.onnx_int8 import quantized

    inputs = (
        {
            "frames": network_frames(each, weights.neighbours).transpose(0, 3, 1, 2),
            HIDDEN: each[HIDDEN],
        }
        for each in _calibration(weights)
    )
    made = quantized(onnx.load_from_string(network(weights, size)), inputs)
    content: bytes = made.SerializeToString()
    return content


def _quantized(made: onnx.ModelProto, weights: Weights, size: Size | None) -> onnx.ModelProto:
    """Calibrated on small frames that need the same padding: ranges don't depend on the size."""
    from models.export.onnx_int8 import quantized  # seldom needed

    height, width = (
        have - (padded_length(side, MULTIPLE) - side)
        for have, side in zip(_CALIBRATION_SIZE, size or _CALIBRATION_SIZE, strict=True)
    )
    *names, _ = input_names(weights.neighbours)
    sizes = plane_shapes((height, width)) * (1 + weights.neighbours)
    shapes = dict(zip(names, sizes, strict=True))
    return quantized(
        made,
        (
            inputs
            | {name: inputs[name][:, :rows, :columns] for name, (rows, columns) in shapes.items()}
            for inputs in _calibration(weights)
        ),
    )


def _calibration(weights: Weights) -> Iterator[Tensors]:
    """Give inputs of the step as they come up in some drawn clips."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        write(weights, path, None)
        step = open_step(path)
    return calibration_inputs(
        step, _CALIBRATION_SIZE, weights.config.hidden, weights.neighbours, channels_first=True
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


def _write_step(graph: Graph, weights: Weights, size: Size | None) -> list[str]:
    """Add the whole step; returns the names of its outputs."""
    *planes, hidden = input_names(weights.neighbours)
    current, *others = (
        _features(graph, planes[index : index + 3], size) for index in range(0, len(planes), 3)
    )
    layers = layers_of(graph, weights)
    frames = layers.join([current, *(graph.add("Sub", [each, current]) for each in others)])
    residual, hidden = connect(weights.config, layers, frames, hidden, weights.neighbours)
    for name, start, stop, block in zip(
        RESIDUALS, (0, 16, 20), (16, 20, 24), (4, 2, 2), strict=True
    ):
        part = graph.slice(residual, 1, start, stop)
        plane = graph.add("DepthToSpace", [part], blocksize=block)
        if size:
            rows, columns = size if block == 4 else chroma_shape(*size)
            plane = graph.slice(graph.slice(plane, 2, 0, rows), 3, 0, columns)
        graph.add("Squeeze", [plane, graph.integers(1)], name)
    graph.add("Identity", [hidden], NEXT_HIDDEN)
    return [*RESIDUALS, NEXT_HIDDEN]


def _features(graph: Graph, planes: Sequence[str], size: Size | None) -> str:
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


def _padded(graph: Graph, plane: str, have: Sequence[int], want: Sequence[int]) -> str:
    rows, columns = (after - before for before, after in zip(have, want, strict=True))
    if rows or columns:
        return graph.add("Pad", [plane, graph.integers(0, 0, 0, 0, rows, columns)], mode="edge")
    return plane


def open_step(path: Path) -> Step:
    """Open the step of an ONNX file, in ONNX Runtime on the CPU."""
    return onnx_runner(str(path))
