"""Time one model on every runtime, in float32, int8 and, on CPUs with units for it, bfloat16.

    python benchmarks/runtimes.py [--model tiny] [--frames 20] [--size 640x360 --size 1280x720]

A frame goes through the whole engine: planes in, corrected planes out. Rounds alternate between the
runtimes, so that other load on the machine meets each alike; only the ratios mean something. CPU
time, of all threads, is measured apart: on a busy machine it says more than the clock on the wall.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from models.runtimes import native_output_aside, openvino_has_bfloat16
from stream.bench.runner import Runner
from stream.bench.timing import median_ratio, rounds
from stream.cli.arguments import positive_int, size
from stream.inference.device import Precision
from stream.inference.engines import open_engine

CASES: tuple[tuple[str, Precision], ...] = (
    ("tensorflow", "float32"),
    ("mnn", "float32"),
    ("litert", "float32"),
    ("litert", "int8"),
    ("onnx", "float32"),
    ("onnx", "int8"),
    ("openvino", "float32"),
    ("openvino", "int8"),
)
IN_BFLOAT16: tuple[tuple[str, Precision], ...] = (("openvino", "bfloat16"),)


def main() -> None:
    """Print a row per size and runtime."""
    parser = argparse.ArgumentParser(description="Time one model on every runtime.")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--frames", type=positive_int, default=20)
    parser.add_argument("--size", type=size, action="append")
    options = parser.parse_args()
    engines = {
        f"{runtime} {precision}": open_engine(
            options.model, device="cpu", precision=precision, runtime=runtime
        )
        for runtime, precision in CASES + IN_BFLOAT16 * openvino_has_bfloat16()
    }
    print(f"{'size':<12}{'runtime':<20}{'ms a frame':>12}{'of tensorflow':>15}{'CPU ms':>9}")
    for width, height in options.size or [(640, 360), (1280, 720)]:
        with native_output_aside():
            runs = {name: Runner(engine, width, height) for name, engine in engines.items()}
            times = rounds(runs, options.frames)
            cpu = {name: _cpu_ms(run, options.frames) for name, run in runs.items()}
        for name in engines:
            ratio = median_ratio(times[name], times["tensorflow float32"])
            median = statistics.median(times[name])
            row = f"{f'{width}x{height}':<12}{name:<20}{median:>12.1f}{ratio:>15.2f}"
            print(f"{row}{cpu[name]:>9.1f}", flush=True)


def _cpu_ms(run: Callable[[], None], frames: int) -> float:
    began = time.process_time()
    for _ in range(frames):
        run()
    return 1e3 * (time.process_time() - began) / frames


if __name__ == "__main__":
    main()
