"""Record a live source in a pipeline of one's own: source, processor, outputs, and the figures.

Usage: python record.py [SOURCE] [FILE]
"""

import sys

from stream import (
    Deblurrer,
    LiveVideo,
    OverloadControl,
    Pipeline,
    Tee,
    levels_of,
    open_source,
    target_of,
)

address = sys.argv[1] if len(sys.argv) > 1 else "test:320x180@10"
path = sys.argv[2] if len(sys.argv) > 2 else "sharp.mkv"
control = OverloadControl(levels_of(["tiny"], Deblurrer))
tee = Tee(None, [(path, LiveVideo(target_of(path)))])
pipeline = Pipeline(
    open_source(address),
    control,
    tee,
    on_progress=lambda stats: pipeline.stop() if stats.frames_out >= 10 else None,
    capacity=1,
)
stats = pipeline.run()
print(stats.frames_in, "captured,", stats.frames_out, "shown,", stats.frames_dropped, "dropped")
print(tee.report())
