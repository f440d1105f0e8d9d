"""What a frame costs when several streams are computed as one batch: ms, best of all rounds.

python benchmarks/batch.py [--model NAME] [--device cpu|gpu]
"""

import argparse
import time

from stream.capture.synthetic import SyntheticSource
from stream.cli.arguments import add_compute, add_model

SIZES = ((320, 240), (640, 360))
STREAMS = (1, 2, 4)
WARM_UP, ROUNDS = 2, 30


def main() -> None:
    """Batch sizes take turns, so that other work on the machine hits them alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_model(parser, "tiny")
    add_compute(parser)
    options = parser.parse_args()
    from stream.inference.deblurrer import Deblurrer

    deblurrer = Deblurrer(options.model, device=options.device, precision=options.precision)
    print(f"{deblurrer.name}, {deblurrer.compute}")
    for width, height in SIZES:
        best = dict.fromkeys(STREAMS, float("inf"))
        for index, frame in enumerate(SyntheticSource(width, height, WARM_UP + ROUNDS).frames()):
            for count in STREAMS:
                batch = [frame.replace(stream_id=100 * count + number) for number in range(count)]
                began = time.perf_counter()
                deblurrer.process_batch(batch)
                if index >= WARM_UP:
                    best[count] = min(best[count], (time.perf_counter() - began) / count)
        costs = ", ".join(f"{count}: {1e3 * cost:.1f}" for count, cost in best.items())
        print(f"{width}x{height}  {costs}")


if __name__ == "__main__":
    main()
