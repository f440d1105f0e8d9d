"""A server elsewhere: `python receiver.py URL [COUNT]` takes one stream.

Prints how many frames came; ends in the middle of the stream after COUNT of them.
"""

import contextlib
import os
import sys

import av

count = 0
container = av.open(sys.argv[1], timeout=600, options={"listen": "1"})
with contextlib.suppress(OSError):  # a sender that is done just hangs up
    for packet in container.demux(video=0):
        count += packet.size > 0
        if sys.argv[2:] == [str(count)]:
            os._exit(0)  # as a server that is killed
container.close()
print(count)
