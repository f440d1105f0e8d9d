"""A server elsewhere: `python receiver.py URL` takes one stream and prints how many frames came."""

import contextlib
import sys

import av

count = 0
container = av.open(sys.argv[1], timeout=600, options={"listen": "1"})
with contextlib.suppress(OSError):  # a sender that is done just hangs up
    for packet in container.demux(video=0):
        count += packet.size > 0
container.close()
print(count)
