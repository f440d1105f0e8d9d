"""`deblur export`: a model as a file of another runtime."""

import argparse
from pathlib import Path
from typing import get_args

from models.errors import ExportError
from models.export.formats import FORMATS, Precision, require_form
from models.runtimes import load_keras, native_output_aside
from stream.cli.arguments import model_name, size
from stream.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = "docs/export.md says what such a file takes and gives."
    parser.add_argument(
        "--model",
        type=model_name,
        default="tiny",
        metavar="NAME",
        help="of `deblur models`, or a weights file",
    )
    parser.add_argument("--format", required=True, choices=tuple(FORMATS))
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    parser.add_argument(
        "--size",
        type=size,
        metavar="WxH",
        help="the one frame size to take (default: any multiple of 16; for litert 1280x720)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument("output", type=Path, metavar="OUT")


def run(options: argparse.Namespace) -> int:
    """Write the file, check it against the Keras model, and say how near it is."""
    target: Path = options.output
    kind, precision = options.format, options.precision
    try:
        require_form(kind, target, precision)
    except ExportError as error:
        raise UsageError(str(error)) from error
    load_keras()
    from models import registry
    from models.export.files import export, require_exportable

    require_exportable(kind, target, precision, overwrite=options.overwrite)
    weights = registry.load(options.model)
    with native_output_aside():
        check = export(
            weights,
            kind,
            target,
            precision=precision,
            size=options.size and options.size[::-1],
            overwrite=options.overwrite,
        )
    print(
        f"{target}: {kind}, {precision}; at most {check.max_error:.2g} code values from the Keras "
        f"model\n{check.frames} drawn frames: {check.psnr_in:.2f} dB blurred, "
        f"{check.psnr_keras:.3f} dB by the Keras model, {check.psnr_exported:.3f} dB by this file"
    )
    return 0
