"""What cleaning a recorded video comes to with 1 to 64 workers, by a model of the machine.

    python benchmarks/scaling.py [--model tiny] [--size 1280x720] [--frames 60]

Decoder, network and encoder are timed here, each on one core. The table is arithmetic: a core for
each worker, and nothing else that they share. A worker that searches decodes its own segments and
what lies before each; one that reads on decodes all.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from stream.bench.pipelines import write_clip
from stream.capture.file import FileSource
from stream.capture.synthetic import SyntheticSource
from stream.cli.arguments import positive_int, size
from stream.inference.deblurrer import Deblurrer
from stream.jobs.plan import BURN_IN, SEGMENT_S

LEAD_S = 6
"""Seconds decoded before a segment: two, and half a usual distance between keyframes."""

RATE = 30


def main() -> None:
    """Print the times, then a row for each number of workers."""
    parser = argparse.ArgumentParser(description="Predict how `deblur clean` scales with cores.")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--size", type=size, default=(1280, 720))
    parser.add_argument("--frames", type=positive_int, default=60)
    options = parser.parse_args()
    source = SyntheticSource(*options.size, options.frames, Fraction(RATE))
    deblurrer = Deblurrer(options.model, device="cpu", single_thread=True, look_ahead=True)
    deblurrer.start(source.info)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        drawing = _cpu_ms(lambda: list(source.frames()), options.frames)
        encoding = _cpu_ms(lambda: write_clip(clip, source), options.frames) - drawing
        decoding = _cpu_ms(lambda: _read(clip), options.frames)
        network = _cpu_ms(lambda: _run(deblurrer, source), options.frames) - drawing
    print(f"{options.model} at {options.size[0]}x{options.size[1]}, ms of one core for a frame:")
    print(f"decoder {decoding:.1f}, network {network:.1f}, encoder {encoding:.1f}\n")
    frames = RATE * float(SEGMENT_S)
    work = network * (1 + BURN_IN / frames) + encoding
    searched = work + decoding * (1 + RATE * LEAD_S / frames)
    print("| workers | frames/s, searching | frames/s, reading on | ratio |\n|---|---|---|---|")
    for workers in (1, 2, 4, 8, 16, 32, 64):
        ways = 1e3 * workers / (searched if workers > 1 else work + decoding)
        on = 1e3 * workers / (work + workers * decoding)
        print(f"| {workers} | {ways:.1f} | {on:.1f} | {ways / on:.2f} |")


def _cpu_ms(work: Callable[[], object], frames: int) -> float:
    began = time.process_time()
    work()
    return 1e3 * (time.process_time() - began) / frames


def _read(clip: Path) -> None:
    with closing(FileSource(clip)) as source:
        for _ in source.frames():
            pass


def _run(deblurrer: Deblurrer, source: SyntheticSource) -> None:
    for frame in source.frames():
        deblurrer.process(frame)


if __name__ == "__main__":
    main()
