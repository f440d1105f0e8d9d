"""A camera on the network, as a program of its own: `python sender.py URL [WIDTH] [HEIGHT]`.

Sends a moving picture at 20 frames a second until it is killed.
"""

import http.server
import sys
import time
from fractions import Fraction

import av
import numpy as np

RATE = 20


class Page(http.server.BaseHTTPRequestHandler):
    """Whoever asks gets the stream, and no end of it."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        send(self.wfile)


def main(url, *size):
    if url.startswith("http"):
        address = url.removeprefix("http://").split(":")
        http.server.HTTPServer((address[0], int(address[1])), Page).serve_forever()
    send(url, *size)


def send(target, width=160, height=120):
    with av.open(target, "w", format="mpegts") as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90_000)
        squares = np.random.default_rng(7).integers(40, 200, (height // 8 + 1, 99), np.uint8)
        canvas = squares.repeat(8, 0).repeat(8, 1)
        began, index = time.monotonic(), 0
        while True:
            left = 3 * index % 500
            grey = np.ascontiguousarray(canvas[:height, left : left + width])
            picture = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
            picture.pts, picture.time_base = 4500 * index, Fraction(1, 90_000)
            container.mux(stream.encode(picture))
            index += 1
            time.sleep(max(0.0, began + index / RATE - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
