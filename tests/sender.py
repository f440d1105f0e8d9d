"""A camera on the network, as a program of its own: `python sender.py URL`.

Sends a moving picture at 20 frames a second until it is killed; with sound, it flashes and beeps
at the beginning of each second.
"""

import argparse
import http.server
import itertools
import time
from fractions import Fraction

import av
import numpy as np

RATE = 20
SOUND_RATE = 48_000
BEEP_S = 0.1
FAST = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
_TICKS = 90_000


def main():
    options = parser().parse_args()
    if options.url.startswith("http"):
        host, port = options.url.removeprefix("http://").split(":")

        class Page(http.server.BaseHTTPRequestHandler):
            """Whoever asks gets the stream, and no end of it."""

            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                send(self.wfile, options)

        http.server.HTTPServer((host, int(port)), Page).serve_forever()
    while True:
        try:
            send(options.url, options)
        except ConnectionRefusedError:  # the receiver is still on its way
            time.sleep(0.1)


def parser():
    made = argparse.ArgumentParser()
    made.add_argument("url")
    made.add_argument("--size", nargs=2, type=int, default=(160, 120))
    made.add_argument("--stamps", type=float, default=1.0, help="how fast its clock runs")
    made.add_argument("--turn", type=int, default=0, help="change width and height after so many")
    made.add_argument("--stall", type=float, default=0.0, help="hold back so much of every second")
    made.add_argument("--interlaced", action="store_true")
    made.add_argument("--sound", default="", help="FFmpeg's name of an encoder")
    made.add_argument("--sound-rate", type=int, default=SOUND_RATE, help="samples a second")
    made.add_argument("--end", type=int, default=0, help="be silent after so many pictures")
    made.add_argument("--restart", type=int, default=0, help="begin the clock anew after so many")
    return made


def send(target, options):
    by_rtmp = str(target).startswith("rtmp")
    with av.open(target, "w", format="flv" if by_rtmp else "mpegts") as container:
        stream = container.add_stream("libx264", rate=RATE, options=dict(FAST))
        stream.width, stream.height = options.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _TICKS)
        by_itself = encoder_of(options.size, options.interlaced)
        encoder = stream.codec_context if by_rtmp else by_itself  # FLV wants its header first
        beeper = Beeper(container, options.sound, options.sound_rate) if options.sound else None
        began = time.monotonic()
        for index in itertools.islice(itertools.count(), options.restart or None):
            if index and index == options.turn:
                encoder = encoder_of(options.size[::-1], options.interlaced)
            picture = picture_of(index, encoder.width, encoder.height, options.interlaced)
            if beeper and index % RATE < BEEP_S * RATE:
                np.frombuffer(picture.planes[0], np.uint8)[:] = 235
            picture.pts = round(index * options.stamps * _TICKS / RATE)
            if beeper and not (options.end and index >= options.end):
                beeper.send(index, index * options.stamps)
            for packet in encoder.encode(picture):
                packet.stream = stream
                container.mux(packet)
            due = began + (index + 1) / RATE
            second = (due - began) // 1
            due = max(due, began + second + options.stall)
            time.sleep(max(0.0, due - time.monotonic()))


class Beeper:
    """The sound beside the pictures."""

    def __init__(self, container, codec, rate=SOUND_RATE):
        self._container = container
        self._rate = rate
        self._stream = container.add_stream(codec, rate=rate, layout="mono")

    def send(self, index, clock):
        """As long as a picture, and beside it by the sender's clock, in pictures."""
        length = self._rate // RATE
        seconds = np.arange(index * length, (index + 1) * length) / self._rate
        wave = np.sin(2 * np.pi * 1000 * seconds) * (seconds % 1 < BEEP_S)
        made = av.AudioFrame.from_ndarray(
            wave[None].astype(np.float32), format="flt", layout="mono"
        )
        made.sample_rate, made.time_base = self._rate, Fraction(1, self._rate)
        made.pts = round(clock * length)
        self._container.mux(self._stream.encode(made))


def encoder_of(size, interlaced):
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, _TICKS)
    encoder.framerate = Fraction(RATE)
    fields = {"flags": "+ildct+ilme", "x264-params": "tff=1"} if interlaced else {}
    encoder.options = FAST | fields
    return encoder


def picture_of(index, width, height, interlaced):
    """The scene at one moment; interlaced, its odd rows are half a picture later."""
    squares = np.random.default_rng(7).integers(40, 200, (height // 8 + 1, 99), np.uint8)
    canvas = squares.repeat(8, 0).repeat(8, 1)

    def moment(fields):
        left = 3 * fields // 2 % 500
        return canvas[:height, left : left + width]

    grey = moment(2 * index).copy()
    if interlaced:
        grey[1::2] = moment(2 * index + 1)[1::2]
    made = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
    made.time_base = Fraction(1, _TICKS)
    return made


if __name__ == "__main__":
    main()
