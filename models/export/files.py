"""Exported files: what formats there are, writing one whole or not at all, opening one."""

import importlib
import importlib.util
import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.errors import ExportError
from models.export.check import Check, check_step
from models.export.step import Size, Step
from models.registry import Model

Precision = Literal["float32", "float16", "int8"]

LOSS_LIMIT_DB: dict[Precision, float] = {"float32": 0.05, "float16": 0.05, "int8": 0.15}
"""What an exported file may score below the Keras model."""

_CHECK_SIZE = (240, 416)  # of files that take any size


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
        distribution: the one of the registry that runs it.
    """

    module: str
    suffix: str
    precisions: tuple[Precision, ...]
    channels_first: bool
    default_size: Size | None
    packages: tuple[str, ...]
    distribution: str


FORMATS: dict[str, Format] = {
    "saved_model": Format(
        module="saved_model",
        suffix="",
        precisions=("float32",),
        channels_first=False,
        default_size=None,
        packages=(),
        distribution="tensorflow",
    ),
    "litert": Format(
        module="litert",
        suffix=".tflite",
        precisions=("float32", "float16", "int8"),
        channels_first=False,
        default_size=(720, 1280),
        packages=("ai_edge_litert",),
        distribution="ai-edge-litert",
    ),
    "onnx": Format(
        module="onnx_graph",
        suffix=".onnx",
        precisions=("float32", "int8"),
        channels_first=True,
        default_size=None,
        packages=(),
        distribution="onnxruntime",
    ),
    "openvino": Format(
        module="openvino_ir",
        suffix=".xml",
        precisions=("float32", "float16", "int8"),
        channels_first=True,
        default_size=None,
        packages=("openvino",),
        distribution="openvino",
    ),
}


def export(
    model: Model,
    kind: str,
    target: Path,
    *,
    precision: Precision = "float32",
    size: Size | None = None,
    overwrite: bool = False,
) -> Check:
    """Write a model as a file of another runtime, once that is seen to compute the same.

    Args:
        model: what to export, in float32.
        kind: one of `FORMATS`.
        target: where; nothing is left there unless the file passes.
        precision: of the weights; with int8 of the activations too.
        size: the one frame size that the file takes; otherwise it takes all sides that are
            multiples of 16, where the format allows that.
        overwrite: whether a file may be there already.

    Raises:
        ExportError: It can't be written so, or what it computes is too far from the model.
    """
    require_exportable(kind, target, precision, overwrite=overwrite)
    form = FORMATS[kind]
    size = size or form.default_size
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        staged = Path(folder) / target.name
        write_step(model, kind, staged, size, precision)
        step = open_step(kind, staged)
        check = check_step(model, step, size or _CHECK_SIZE, channels_first=form.channels_first)
        _require_passed(check, target, precision)
        _commit(staged, target)
    return check


def require_exportable(
    kind: str, target: Path, precision: Precision, *, overwrite: bool = False
) -> None:
    """Raise ExportError for what `export` would refuse before it begins; needs no model."""
    form = FORMATS[kind]
    require_packages(kind)
    if precision not in form.precisions:
        raise ExportError(f"{kind} can't be {precision}: use {' or '.join(form.precisions)}")
    if target.suffix != form.suffix:
        wanted = f"ends in {form.suffix}" if form.suffix else "is a folder's, without a suffix"
        raise ExportError(f"{target} can't hold {kind}: give a name that {wanted}")
    if not target.parent.is_dir():
        raise ExportError(f"the folder {target.parent} does not exist; create it first")
    if target.exists() and not overwrite:
        raise ExportError(f"{target} exists; choose another name, or --overwrite it")
    if target.exists() and target.is_dir() != (form.suffix == ""):
        raise ExportError(f"{target} is something else than {kind}; choose another name")


def require_packages(kind: str) -> None:
    """Raise ExportError unless the packages of a format are installed."""
    missing = [name for name in FORMATS[kind].packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f'{kind} needs {" and ".join(missing)}: pip install "deblurstream[export]"'
        )


def write_step(
    model: Model, kind: str, path: Path, size: Size | None, precision: Precision = "float32"
) -> None:
    """Write a file as it is, unchecked; see `export`."""
    _module(kind).write(model, path, size, precision)


def open_step(kind: str, path: Path) -> Step:
    """The step of an exported file, in the runtime of its format, on the CPU."""
    step: Step = _module(kind).open_step(path)
    return step


def _module(kind: str) -> Any:
    """The module that writes and opens a format; its packages are imported with it."""
    return importlib.import_module(f"models.export.{FORMATS[kind].module}")


def _require_passed(check: Check, target: Path, precision: Precision) -> None:
    limit = LOSS_LIMIT_DB[precision]
    if check.loss_db < limit and math.isfinite(check.max_error):
        return
    raise ExportError(
        f"{target} is not written: in {precision} it is up to {check.max_error:.2g} code values "
        f"from the Keras model and scores {check.psnr_exported:.2f}, not {check.psnr_keras:.2f} "
        f"dB; a loss under {limit} dB is allowed"
    )


def _commit(staged: Path, target: Path) -> None:
    """Give the file its name, and before it the weights that lie beside an OpenVINO file."""
    try:
        for part in sorted(staged.parent.iterdir(), key=lambda path: path == staged):
            place = target.with_name(part.name)
            if place.is_dir():
                shutil.rmtree(place)
            part.replace(place)
    except OSError as error:
        raise ExportError(f"{target} can't be written ({error.strerror})") from error
