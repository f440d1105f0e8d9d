"""The step as an OpenVINO file, converted from ONNX; its state has the channels first."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.export import onnx_graph
from models.export.step import NEXT_HIDDEN, RESIDUALS, Size, Step, Tensors
from models.registry import Weights
from models.runtimes import openvino


def write(weights: Weights, path: Path, size: Size | None, precision: str = "float32") -> None:
    """Write an .xml file and beside it a .bin file with the weights: in float32, float16 or int8.

    size: the only frame size it takes, any; without one it takes every batch and all sides that
    are multiples of 16.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "step.onnx"
        onnx_graph.write(weights, source, size, "int8" if precision == "int8" else "float32")
        made = openvino().convert_model(source)
        openvino().save_model(made, path, compress_to_fp16=precision == "float16")


def open_step(path: Path, *, bfloat16: bool = False) -> Step:
    """The step of an OpenVINO file, on the CPU and in float32.

    With `bfloat16` it multiplies in that, which OpenVINO ignores where `has_bfloat16` is False.
    """
    precision = "bf16" if bfloat16 else "f32"
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    compiled = _core().compile_model(path, "CPU", settings)

    def step(inputs: Tensors) -> Tensors:
        outputs = compiled(inputs)
        return {name: outputs[name] for name in (*RESIDUALS, NEXT_HIDDEN)}

    return step


def has_bfloat16() -> bool:
    """Whether OpenVINO finds units for bfloat16 in this CPU."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@lru_cache(1)
def _core() -> Any:
    """The only one of the process, which it keeps.

    Each sets an alternate signal stack and puts back the one before it when it goes: two that go
    in the order in which they came leave one that is gone, and the next Ctrl-C is a crash.
    """
    return openvino().Core()
