"""`deblur clean`: a recorded video, deblurred, with everything else as it was."""

import argparse
import sys

from stream.cli.quiet import load_tensorflow
from stream.cli.report import ProgressLine, duration_text, write_json
from stream.errors import OpenError
from stream.jobs.clean import CleanOptions, CleanResult, clean_file
from stream.output.encoder import EncoderOptions


def run(options: argparse.Namespace) -> int:
    """Clean one file; report counts and timings if asked."""
    if not options.input.exists():  # before TensorFlow's seconds of loading
        raise OpenError(f"{options.input} does not exist")
    load_tensorflow()
    from stream.inference.deblurrer import Deblurrer

    deblurrer = Deblurrer(options.model, device=options.device, precision=options.precision)
    progress = ProgressLine()
    try:
        result = clean_file(
            options.input,
            options.output,
            deblurrer,
            CleanOptions(EncoderOptions(options.codec, options.crf), options.overwrite),
            on_progress=progress,
        )
    finally:
        progress.close()
    _tell(options, result)
    if options.report:
        write_json(
            options.report,
            result.stats.report()
            | {
                "model": deblurrer.name,
                "precision": deblurrer.compute.precision,
                "device": deblurrer.compute.device,
                "resets": {reason.value: count for reason, count in deblurrer.resets.items()},
            },
        )
    return 0


def _tell(options: argparse.Namespace, result: CleanResult) -> None:
    for warning in result.warnings:
        print(f"deblur: warning: {warning}", file=sys.stderr)
    stats = result.stats
    print(
        f"{options.output}: {stats.frames_out} frames in {duration_text(stats.duration_s)} "
        f"({stats.fps:.1f} fps)"
    )
