"""Exporting a model: a file that was seen to compute the same, whole or not at all."""

import math
import shutil
import tempfile
from pathlib import Path

from models.errors import ExportError
from models.export.check import Check, check_step
from models.export.formats import (
    FORMATS,
    Precision,
    open_step,
    require_form,
    require_packages,
    write_step,
)
from models.export.step import Size
from models.keras_network import assembled
from models.places import real_place
from models.registry import Weights

LOSS_LIMIT_DB: dict[Precision, float] = {"float32": 0.05, "float16": 0.05, "int8": 0.15}
"""What an exported file may score below the Keras model."""

_CHECK_SIZE = (240, 416)  # of files that take any size


def export(
    weights: Weights,
    kind: str,
    target: Path,
    *,
    precision: Precision = "float32",
    size: Size | None = None,
    overwrite: bool = False,
) -> Check:
    """Write a model as a file of another runtime, once that is seen to compute the same.

    Args:
        weights: of the model to export.
        kind: one of `FORMATS`.
        target: where, or a link to it; nothing is left there unless the file passes.
        precision: of the weights; with int8 of the activations too.
        size: the one frame size that the file takes; otherwise it takes all sides that are
            multiples of 16, where the format allows that.
        overwrite: whether a file may be there already.

    Raises:
        ExportError: It can't be written so, or what it computes is too far from the model.
    """
    require_exportable(kind, target, precision, overwrite=overwrite)
    form, target = FORMATS[kind], real_place(target)
    size = size or form.default_size
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        staged = Path(folder) / target.name
        write_step(weights, kind, staged, size, precision)
        step = open_step(kind, staged)
        check = check_step(
            assembled(weights), step, size or _CHECK_SIZE, channels_first=form.channels_first
        )
        _require_passed(check, target, precision)
        _commit(staged, target)
    return check


def require_exportable(
    kind: str, target: Path, precision: Precision, *, overwrite: bool = False
) -> None:
    """Raise ExportError for what `export` would refuse before it begins; needs no model."""
    require_form(kind, target, precision)
    require_packages(kind)
    try:
        folder = real_place(target).parent
    except OSError as error:
        raise ExportError(str(error)) from error
    if not folder.is_dir():
        raise ExportError(f"the folder {folder} does not exist; create it first")
    if target.exists() and not overwrite:
        raise ExportError(f"{target} exists; choose another name, or --overwrite it")
    if target.exists() and target.is_dir() != (FORMATS[kind].suffix == ""):
        raise ExportError(f"{target} is something else than {kind}; choose another name")


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
