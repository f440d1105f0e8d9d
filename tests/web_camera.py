"""Pictures over HTTP, written to the socket by hand as microcontrollers do."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
import pytest

MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def jpeg(value: int, width: int = 64, height: int = 48) -> bytes:
    """A picture of one brightness."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 30)
    picture = av.VideoFrame(width, height, "yuvj420p")
    for plane in picture.planes:
        np.frombuffer(plane, np.uint8)[:] = value
    picture.pts = 0
    return b"".join(bytes(packet) for packet in encoder.encode(picture))


def part(picture: bytes) -> bytes:
    """As most cameras send it."""
    header = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return header.encode() + picture + b"\r\n"


def steadily(rate: float, make: Callable[[int], bytes]) -> Iterator[bytes]:
    """What ``make`` gives for 0, 1, 2, ... so many times a second."""
    began, index = time.monotonic(), 0
    while True:
        yield make(index)
        index += 1
        time.sleep(max(0.0, began + index / rate - time.monotonic()))


class WebCamera:
    """A server on loopback; `pages` gives each path's type and what its body consists of."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, Callable[[], Iterator[bytes]]]] = {}
        self.asked: list[str] = []
        self.closed = False
        self.challenge = self.secret = ""
        self.status = 404
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.asked.append(self.path)
                given = self.headers.get("Authorization", "")
                if camera.challenge and not (given and given.endswith(camera.secret)):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", camera.challenge)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if self.path not in camera.pages:
                    self.send_error(camera.status)
                    return
                kind, body = camera.pages[self.path]
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                with contextlib.suppress(OSError):
                    for block in body():
                        if camera.closed:
                            break
                        self.wfile.write(block)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="web camera")
        self._thread.start()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def close(self) -> None:
        self.closed = True
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web_camera():
    camera = WebCamera()
    yield camera
    camera.close()
