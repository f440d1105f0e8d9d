"""ONNX graphs with their convolutions in int8, quantised after training by ONNX Runtime."""

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path

import onnx

from models.export.step import Tensors
from models.packages import undocumented
from models.runtimes import onnxruntime

onnxruntime()  # reports to nobody only if nobody imports it before

from onnxruntime.quantization import (  # noqa: E402
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    calibrate,
    quant_utils,
    quantize_static,
)

IN_FLOAT = ("bank", "head")
"""Convolutions that read the frame itself and that write the residual: most loss was theirs."""


def quantized(graph: onnx.ModelProto, calibration: Iterable[Tensors]) -> onnx.ModelProto:
    """The graph with 8-bit convolutions: weights by output channel, activations by tensor.

    What comes between convolutions stays float32, and so do those of `IN_FLOAT`. Of each
    activation's values one in ten thousand is cut off: the rest are told apart the better for it.
    Weights have 7 bits: CPUs without VNNI would overflow on 8 (`reduce_range` of ONNX Runtime).

    Args:
        graph: in float32; not changed.
        calibration: inputs that show the range of each activation. Their sides may be others than
            those of the graph, as long as they suit its paddings.
    """
    free = copy.deepcopy(graph)
    for value in (*free.graph.input, *free.graph.output):
        for axis, side in enumerate(value.type.tensor_type.shape.dim):
            side.dim_param = f"{value.name}_{axis}"
    _hush(free)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        quantize_static(
            free,
            path,
            _Reader(calibration),
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=list(IN_FLOAT),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": 99.99},
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        made = onnx.load(path)
    for given, kept in zip(
        (*made.graph.input, *made.graph.output),
        (*graph.graph.input, *graph.graph.output),
        strict=True,
    ):
        given.CopyFrom(kept)
    onnx.checker.check_model(made, full_check=True)
    return made


def _hush(graph: onnx.ModelProto) -> None:
    """Keep ONNX Runtime's quantiser from writing lines of its own; written for 1.32.

    It prints its progress, perhaps in the middle of somebody's line, and warns of a graph that
    wasn't fused before; in ours there is nothing to fuse.
    """
    calibrate.print = lambda *words: None
    undocumented(quant_utils, "add_pre_process_metadata", "ONNX Runtime 1.32")(graph)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives one set of inputs after the other, then None."""

    def __init__(self, inputs: Iterable[Tensors]) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> Tensors | None:
        return next(self._inputs, None)
