"""Take deblurred frames from a live source until enough are there.

Usage: python camera.py [SOURCE], where SOURCE is what `deblur live` takes, such as camera:0 or
rtsp://user:password@host/stream.
"""

import sys

from stream import Deblurrer, deblurred, open_source, to_rgb

source = open_source(sys.argv[1] if len(sys.argv) > 1 else "test:320x180@10")
for frame in deblurred(source, Deblurrer("tiny")):
    picture = to_rgb(frame)
    seconds = float(frame.pts * frame.time_base)
    print(f"{seconds:.2f} s: {picture.shape}, {frame.gap} dropped before it")
    if frame.index >= 5:
        break
