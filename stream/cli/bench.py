"""`deblur bench`: how fast a model and the pipeline run on this machine."""

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from models.runtimes import tensorflow
from stream.cli.arguments import add_compute, add_model, positive_int, size
from stream.cli.cleaner import make_deblurrer, workers
from stream.cli.report import require_writable, write_json, write_text
from stream.errors import OpenError, UsageError
from stream.inference.backends import BACKENDS
from stream.jobs import WorkerPool
from stream.stages import Processor

STREAMS = (1, 2, 4, 8)
BATCHES = (1, 4)
LENGTHS = (100, 300, 1000)
"""Frames after which `--all` looks at memory and speed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = "Figures of different runs are compared by their ratios: see --baseline."
    parser.add_argument("--size", type=size, default=(1280, 720), metavar="WxH")
    parser.add_argument(
        "--frames", type=positive_int, default=30, metavar="N", help="per measurement (default 30)"
    )
    parser.add_argument(
        "--all", action="store_true", help="also other sizes, batches, streams and a long run"
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        nargs=2,
        metavar=("BLUR", "SHARP"),
        help="folders of stills: score the model and classical methods on them",
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="PATH",
        help="another model to score and time on the pairs; may be given again",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures")
    parser.add_argument(
        "--plot", type=Path, metavar="OUT.svg", help="draw time against quality; needs --pairs"
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="fail if a ratio fell below that of FILE"
    )
    add_model(parser, "tiny")
    add_compute(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print, write and compare the figures; 1 if something became slower."""
    if options.plot and not options.pairs:
        raise UsageError("--plot needs --pairs: quality is one of its axes")
    if options.peer and not options.pairs:
        raise UsageError("--peer needs --pairs to score the other model on")
    require_writable(options.json, options.plot)
    if options.baseline and not options.baseline.is_file():
        raise OpenError(f"{options.baseline} does not exist")
    tensorflow()  # the ceiling is measured on it too
    report = _measured(options)
    print("\n".join(_table(report)))
    if options.json:
        write_json(options.json, report)
    if options.plot:
        from stream.bench.plot import speed_quality

        title = f"{report['model']['name']} beside other methods, mean over the pairs"
        write_text(options.plot, speed_quality(report["peers"], title))
    if not options.baseline:
        return 0
    return _compared(report, options.baseline)


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    from stream.bench.machine import machine_facts
    from stream.bench.model import SIZES, measure_matrix, measure_model, network_of
    from stream.bench.pipelines import (
        measure_length,
        measure_live,
        measure_pipelines,
        measure_streams,
    )
    from stream.inference.deblurrer import Deblurrer
    from stream.inference.device import prepare_tensorflow
    from stream.inference.engines import open_engine

    pairs = _pairs(options)
    width, height = options.size
    frames = options.frames
    choices = {name: getattr(options, name) for name in ("device", "precision", "runtime")}
    deblurrer = Deblurrer(options.model, **choices)
    cleaner: Processor | WorkerPool = deblurrer
    if BACKENDS[deblurrer.compute.runtime].single_core:
        cleaner, *_ = workers(partial(make_deblurrer, options.model, **choices))
    prepare_tensorflow(deblurrer.compute)  # the ceiling is this device's, whatever computes
    others = [open_engine(path, device=options.device) for path in options.peer]
    facts = machine_facts()
    speeds = measure_model(deblurrer.engine, network_of(options.model), width, height, frames)
    stats, pipelines = measure_pipelines(deblurrer, cleaner, width, height, frames)
    report = stats.report() | speeds
    report |= {
        "pipeline": {"fps": pipelines["null"]["fps"]},
        "pipelines": pipelines,
        "live": measure_live(deblurrer, width, height, frames, stats.fps),
        "size": f"{width}x{height}",
        **asdict(deblurrer.compute),
        "machine": facts,
        "peers": [],
    }
    if options.all:
        few = max(3, frames // 5)
        report["sizes"] = measure_matrix(deblurrer.engine, list(SIZES.values()), BATCHES, few)
        report["streams"] = measure_streams(deblurrer, width, height, STREAMS, few)
        report["length"] = measure_length(deblurrer, 320, 192, LENGTHS)
    if pairs:
        from stream.bench.peers import measure_peers
        from stream.cli.eval import labels

        names = [label for _, label in labels([options.model, *options.peer])]
        engines = zip(names, [deblurrer.engine, *others], strict=True)
        report["peers"] = measure_peers(list(engines), pairs)
    return report


def _pairs(options: argparse.Namespace) -> list[Any]:
    if not options.pairs:
        return []
    from models.evaluation.clips import find_clips, pair_clips

    blurry, sharp = (find_clips(path, stills=True) for path in options.pairs)
    return pair_clips(blurry, sharp)


def _table(report: dict[str, Any]) -> list[str]:
    model, ceiling = report["model"], report.get("ceiling")
    where = f"{report['device']} ({report['machine']['cores']} cores, {report['machine']['cpu']})"
    lines = [
        f"{model['name']} at {report['size']}, {report['precision']}, {where}",
        f"model     {model['ms_per_frame']:.1f} ms/frame (median)",
    ]
    if ceiling:
        lines[-1] += f", {model['gmac_per_frame']:.2f} GMAC, {model['gflops']:.1f} GFLOP/s"
        lines.append(
            f"ceiling   {ceiling['gflops']:.1f} GFLOP/s, the best chains of 3x3 convolutions; the "
            f"model has {model['share_of_ceiling']:.0%} of it"
        )
        lines.append(f"          {ceiling['matrix_product_gflops']:.1f} GFLOP/s, a matrix product")
    for name, run in report["pipelines"].items():
        stages = run["stages"].items()
        times = ", ".join(f"{stage} {values['p50_ms'] or 0:.1f}" for stage, values in stages)
        lines.append(
            f"pipeline  {run['fps']:6.1f} fps {name:<14}{run['share_of_model']:.0%} of the model "
            f"alone, {run['cores_busy']:.1f} cores busy; ms: {times}"
        )
    shares = [
        f"{name} has {report['pipelines'][name]['share_of_cores']:.0%}"
        for name in ("decode_encode", "clean")
    ]
    lines.append(f"          {', '.join(shares)} of what the cores allow")
    live = report["live"]
    lines.append(
        f"live      {live['rate']:6.1f} fps asked, latency ms: "
        + ", ".join(f"{name} {value:.0f}" for name, value in live["latency_ms"].items())
        + f"; {live['frames_dropped']} dropped"
    )
    for row in report.get("sizes", ()):
        lines.append(
            f"size      {row['size']:<10} x {row['batch']}{row['ms_per_frame']:>10.1f} ms/frame"
            f"{row['ms_per_megapixel']:>8.1f} ms/megapixel"
        )
    for row in report.get("streams", ()):
        lines.append(f"streams   {row['streams']}{row['fps']:>8.1f} fps in all")
    for row in report.get("length", ()):
        lines.append(
            f"length    {row['frames']:>6} frames{row['rss_mib']:>8.1f} MiB"
            f"{row['ms_per_frame']:>8.2f} ms/frame"
        )
    for row in report["peers"]:
        lines.append(
            f"quality   {row['name']:<18}{row['ms_per_frame']:>9.1f} ms{row['psnr']:>8.2f} dB"
            f"{row['gain']:>+7.2f}"
        )
    return lines


def _compared(report: dict[str, Any], path: Path) -> int:
    from stream.bench.baseline import compare

    rows = compare(report, path)
    for row in rows:
        word = "SLOWER" if row["slower"] else "as before or better"
        print(
            f"baseline  {row['name']:<32}{row['before']:>7.3f} ->{row['now']:>7.3f}"
            f"{row['change']:>+7.0%}  {word}"
        )
    return 1 if any(row["slower"] for row in rows) else 0
