"""Time a recorded video with all cores on one segment, and with a segment for each core, in turn.

    python benchmarks/segments.py [--model small] [--size 640x360] [--seconds 10] [--rounds 3]

A made-up video of 30 frames a second goes through decoder, model, encoder and join, as with
`deblur clean`; only the ratio means something.
"""

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path

from stream.bench.pipelines import write_clip
from stream.capture.synthetic import SyntheticSource
from stream.cli.arguments import positive_int, size
from stream.cli.cleaner import make_deblurrer, workers
from stream.inference.deblurrer import Deblurrer
from stream.jobs import CleanOptions, WorkerPool, clean_file
from stream.stages import Processor


def main() -> None:
    """Print a row per round."""
    parser = argparse.ArgumentParser(description="Time segments side by side.")
    parser.add_argument("--model", default="small")
    parser.add_argument("--size", type=size, default=(640, 360))
    parser.add_argument("--seconds", type=positive_int, default=10)
    parser.add_argument("--rounds", type=positive_int, default=3)
    options = parser.parse_args()
    width, height = options.size
    together = Deblurrer(options.model, device="cpu", precision="float32", runtime="mnn")
    make = partial(make_deblurrer, options.model, device="cpu", precision="float32", runtime="mnn")
    apart, *_ = workers(make)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        source = SyntheticSource(width, height, 30 * options.seconds)
        write_clip(clip, source)
        for processor in (
            together,
            *(apart.processors if isinstance(apart, WorkerPool) else [apart]),
        ):
            processor.start(source.info)
        print("frames/s: all cores on one segment, a segment for each core, ratio")
        for _ in range(options.rounds):
            rates = [_rate(clip, Path(folder) / "out.mp4", way) for way in (together, apart)]
            ratios.append(rates[1] / rates[0])
            print(f"{rates[0]:.2f}  {rates[1]:.2f}  {ratios[-1]:.3f}", flush=True)
    print(f"{options.model} at {width}x{height}: median ratio {statistics.median(ratios):.3f}")


def _rate(clip: Path, out: Path, way: Processor | WorkerPool) -> float:
    options = CleanOptions(overwrite=True, resume=False)
    return clean_file(clip, out, way, options).stats.fps


if __name__ == "__main__":
    main()
