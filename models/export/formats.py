"""The kinds of files that a model is exported as: what each can hold, writing and opening one.

Imports no runtime before a file of its is asked for.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.errors import ExportError
from models.export.step import Size, Step
from models.packages import require
from models.registry import Weights

Precision = Literal["float32", "float16", "int8"]


@dataclass(frozen=True, slots=True)
class Format:
    """A runtime's kind of file.

    Attributes:
        module: of this package, with `write` and `open_step`.
        suffix: of the file's name, "" for a folder.
        precisions: those it can be written in.
        channels_first: whether its state has the channels before rows and columns.
        default_size: height and width where the file must have one size and none is asked for.
        packages: what writing and running it needs that is not always installed.
    """

    module: str
    suffix: str
    precisions: tuple[Precision, ...]
    channels_first: bool
    default_size: Size | None
    packages: tuple[str, ...]


FORMATS: dict[str, Format] = {
    "saved_model": Format(
        module="saved_model",
        suffix="",
        precisions=("float32",),
        channels_first=False,
        default_size=None,
        packages=("tensorflow", "keras"),
    ),
    "litert": Format(
        module="litert",
        suffix=".tflite",
        precisions=("float32", "float16", "int8"),
        channels_first=False,
        default_size=(720, 1280),
        packages=("ai_edge_litert", "tensorflow", "keras"),
    ),
    "onnx": Format(
        module="onnx_step",
        suffix=".onnx",
        precisions=("float32", "int8"),
        channels_first=True,
        default_size=None,
        packages=("onnxruntime",),
    ),
    "openvino": Format(
        module="openvino_ir",
        suffix=".xml",
        precisions=("float32", "float16", "int8"),
        channels_first=True,
        default_size=None,
        packages=("openvino",),
    ),
}


def require_form(kind: str, target: Path, precision: Precision) -> None:
    """Raise ExportError unless a format has this precision and such a file name."""
    form = FORMATS[kind]
    if precision not in form.precisions:
        raise ExportError(f"{kind} can't be {precision}: use {' or '.join(form.precisions)}")
    if target.suffix != form.suffix:
        wanted = f"ends in {form.suffix}" if form.suffix else "is a folder's, without a suffix"
        raise ExportError(f"{target} can't hold {kind}: give a name that {wanted}")


def require_packages(kind: str) -> None:
    """Raise MissingError unless the packages of a format are installed."""
    require(*FORMATS[kind].packages)


def write_step(
    weights: Weights, kind: str, path: Path, size: Size | None, precision: Precision = "float32"
) -> None:
    """Write a file as it is, unchecked; see `export`."""
    _module(kind).write(weights, path, size, precision)


def open_step(kind: str, path: Path) -> Step:
    """The step of an exported file, in the runtime of its format, on the CPU."""
    step: Step = _module(kind).open_step(path)
    return step


def _module(kind: str) -> Any:
    """The module that writes and opens a format; its packages are imported with it."""
    return importlib.import_module(f"models.export.{FORMATS[kind].module}")
