"""Two streams through the engine on one device, in a process of its own.

TensorFlow settles for good which devices it sees, so CPU and GPU don't share a process.
"""

import sys

import numpy as np

from stream.capture.synthetic import SyntheticSource
from stream.inference.deblurrer import Deblurrer

STREAMS = 2
FRAMES = 4


def restored(model, device, precision, *, quick_start=False):
    """(frame, stream) to planes, of a video of 320x180 whose two streams are a frame apart."""
    source = list(SyntheticSource(320, 180, FRAMES + STREAMS - 1).frames())
    deblurrer = Deblurrer(model, device=device, precision=precision, quick_start=quick_start)
    try:
        moments = [
            deblurrer.process_batch(
                [source[moment + stream].replace(stream_id=stream) for stream in range(STREAMS)]
            )
            for moment in range(FRAMES)
        ]
    finally:
        deblurrer.close()
    return [frame.planes.arrays for moment in moments for frame in moment]


if __name__ == "__main__":
    model, device, precision, path, *quick = sys.argv[1:]
    found = restored(model, device, precision, quick_start=bool(quick))
    np.savez(path, *(plane for planes in found for plane in planes))
