"""A server elsewhere: `python receiver.py URL [COUNT [FILE]]` takes one stream, into FILE if named.

Prints how many frames came; ends in the middle of the stream after COUNT of them.
"""

import contextlib
import os
import sys

import av

url, least, path = (*sys.argv[1:], *["0", ""][len(sys.argv) - 2 :])
count = 0
container = av.open(url, timeout=600, options={"listen": "1"})
kept = av.open(path, "w") if path else None
streams = {each.index: kept and kept.add_stream_from_template(each) for each in container.streams}
with contextlib.suppress(OSError):  # a sender that is done just hangs up
    for packet in container.demux():
        count += packet.size > 0 and packet.stream.type == "video"
        if least == str(count):
            os._exit(0)  # as a server that is killed
        if kept and packet.size:
            packet.stream = streams[packet.stream_index]
            kept.mux(packet)
container.close()
if kept:
    kept.close()
print(count)
