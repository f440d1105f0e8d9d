"""The step as an OpenVINO file, converted from ONNX; its state has the channels first."""

import tempfile
from pathlib import Path

from models.export import onnx_step
from models.export.step import NEXT_HIDDEN, RESIDUALS, Size, Step, Tensors
from models.registry import Weights
from models.runtimes import openvino, openvino_model


def write(weights: Weights, path: Path, size: Size | None, precision: str = "float32") -> None:
    """Write an .xml file and beside it a .bin file with the weights: in float32, float16 or int8.

    size: the only frame size it takes, any; without one it takes every batch and all sides that
    are multiples of 16.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "step.onnx"
        onnx_step.write(weights, source, size, "int8" if precision == "int8" else "float32")
        made = openvino().convert_model(source)
        openvino().save_model(made, path, compress_to_fp16=precision == "float16")


def open_step(path: Path) -> Step:
    """Open the step of an OpenVINO file, on the CPU and in float32."""
    compiled = openvino_model(path)

    def step(inputs: Tensors) -> Tensors:
        outputs = compiled(inputs)
        return {name: outputs[name] for name in (*RESIDUALS, NEXT_HIDDEN)}

    return step
