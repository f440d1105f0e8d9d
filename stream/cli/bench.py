"""`deblur bench`: how fast a model and the pipeline run on this machine."""

import argparse
import statistics
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from stream.capture.synthetic import SyntheticSource
from stream.cli.arguments import add_compute, add_model, positive_int, size
from stream.cli.quiet import load_tensorflow
from stream.cli.report import write_json
from stream.output.null import NullSink
from stream.pipeline import Pipeline

BURN_IN = 5
"""Frames that are run before any that is measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--size", type=size, default=(1280, 720), metavar="WxH")
    parser.add_argument("--frames", type=positive_int, default=60, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    add_model(parser)
    add_compute(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print and write the figures."""
    load_tensorflow()
    from models.network import cost_gmac
    from models.registry import load
    from stream.inference.deblurrer import Deblurrer

    width, height = options.size

    def source(frames: int) -> SyntheticSource:
        return SyntheticSource(width, height, frames, frame_rate=Fraction(30))

    deblurrer = Deblurrer(options.model, device=options.device, precision=options.precision)
    milliseconds = _model_ms(deblurrer, source(BURN_IN + options.frames))
    gmac = cost_gmac(load(options.model).config, height, width)
    stats = Pipeline(source(options.frames), deblurrer, NullSink()).run()
    report: dict[str, Any] = stats.report() | {
        "model": {
            "name": deblurrer.name,
            "gmac_per_frame": round(gmac, 3),
            "ms_per_frame": round(milliseconds, 3),
            "gflops": round(2 * gmac / milliseconds * 1e3, 2),
        },
        "pipeline": {"fps": round(stats.fps, 3)},
        "size": f"{width}x{height}",
        "precision": deblurrer.compute.precision,
        "device": deblurrer.compute.device,
    }
    print(
        f"{deblurrer.name} at {width}x{height}, {report['device']}, {report['precision']}\n"
        f"model     {milliseconds:.1f} ms/frame (median), {gmac:.2f} GMAC, "
        f"{report['model']['gflops']:.1f} GFLOP/s\n"
        f"pipeline  {stats.fps:.1f} fps over {stats.frames_out} frames, null ends"
    )
    for name, stage in report["stages"].items():
        share = stage["busy_s"] / stats.duration_s
        print(
            f"  {name:<10}{stage['p50_ms']:>8.2f} ms p50{stage['p95_ms']:>8.2f} ms p95{share:>7.0%}"
        )
    if options.json:
        write_json(options.json, report)
    return 0


def _model_ms(deblurrer: Any, source: SyntheticSource) -> float:
    """Median time of one frame through the compiled step, its copy in and out included."""
    deblurrer.start(source.info)
    times = []
    for frame in source.frames():
        began = time.perf_counter()
        deblurrer.process(frame)
        times.append(time.perf_counter() - began)
    source.close()
    return 1e3 * statistics.median(times[BURN_IN:])
