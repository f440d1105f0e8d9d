"""FLV as servers of RTMP send it on: sound at once, and of the picture nothing for a while."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

_VIDEO = 9
_HEADER = 9 + 4


def flv(seconds: int) -> bytes:
    """A moving picture at 20 frames a second, with a tone."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        video = container.add_stream("libx264", rate=20, options={"preset": "ultrafast", "bf": "0"})
        video.width, video.height, video.pix_fmt, video.gop_size = 160, 120, "yuv420p", 20
        sound = container.add_stream("aac", rate=44_100, layout="mono")
        for index in range(20 * seconds):
            picture = av.VideoFrame(160, 120, "yuv420p")
            for plane in picture.planes:
                np.frombuffer(plane, np.uint8)[:] = index % 200
            picture.pts, picture.time_base = index, Fraction(1, 20)
            container.mux(video.encode(picture))
            part = np.sin(np.arange(2205) * 0.06)[None].astype(np.float32)
            tone = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 44_100, 2205 * index, Fraction(1, 44_100)
            container.mux(sound.encode(tone))
        container.mux(video.encode(None))
    return file.getvalue()


def withheld(raw: bytes, late_s: float) -> Iterator[bytes]:
    """The file at its own pace, without the pictures of the first seconds, but for their header."""
    yield raw[:_HEADER]
    began, place = time.monotonic(), _HEADER
    header = b""
    while place < len(raw):
        size = 11 + int.from_bytes(raw[place + 1 : place + 4]) + 4
        tag, place = raw[place : place + size], place + size
        at_s = int.from_bytes(tag[7:8] + tag[4:7]) / 1000
        if tag[0] == _VIDEO and at_s < late_s:
            header = header or tag
            continue
        if tag[0] == 18:  # what it is about, which names the picture
            continue
        time.sleep(max(0.0, began + at_s - time.monotonic()))
        if tag[0] == _VIDEO and header:
            yield header
            header = b""
        yield tag
