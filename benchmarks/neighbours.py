"""What a frame's neighbours cost: live, with the next frame in sight, and mended, in turns.

    python benchmarks/neighbours.py [--model tiny] [--size 1280x720] [--frames 24]

A drawn pan, every third frame of it blurred, so that there is something to mend. Times are of one
core, without what others do meanwhile; only the ratios mean something.
"""

import argparse
import dataclasses
import statistics
import time
from fractions import Fraction

import cv2

from stream.capture.synthetic import SyntheticSource
from stream.cli.arguments import positive_int, size
from stream.frame import Frame
from stream.inference.deblurrer import Deblurrer

WAYS = {
    "live": {},
    "next frame in sight": {"look_ahead": True, "mend": False},
    "mended, as clean does it": {"look_ahead": True},
}


def main() -> None:
    """Print a row for each way."""
    parser = argparse.ArgumentParser(description="Time what neighbours cost.")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--size", type=size, default=(1280, 720))
    parser.add_argument("--frames", type=positive_int, default=24)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    ways = {
        name: Deblurrer(options.model, runtime="mnn", device="cpu", single_thread=True, **choices)
        for name, choices in WAYS.items()
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    source = SyntheticSource(*options.size, options.frames + 3, Fraction(30))
    for frame in map(_shaken, source.frames()):
        for name, deblurrer in ways.items():
            began = time.thread_time()
            deblurrer.process(frame)
            times[name].append(time.thread_time() - began)
    medians = {name: 1e3 * statistics.median(found[3:]) for name, found in times.items()}
    print(f"{options.model} at {options.size[0]}x{options.size[1]}, median of {options.frames}\n")
    print("| | ms of one core for a frame | times live |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.1f} | {median / medians['live']:.2f} |")


def _shaken(frame: Frame) -> Frame:
    if frame.index % 3 != 1:
        return frame
    blurred = tuple(cv2.blur(plane, (15, 1)) for plane in frame.planes.arrays)
    return frame.replace(planes=dataclasses.replace(frame.planes, arrays=blurred))


if __name__ == "__main__":
    main()
