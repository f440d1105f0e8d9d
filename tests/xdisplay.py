"""A virtual display, its screenshots, and keys pressed on it: Xvfb and X's own protocol."""

import contextlib
import os
import shutil
import socket
import struct
import subprocess

import av
import pytest
from waiting import HANG_S

SIZE = (1000, 700)


class Display:
    def __init__(self, number):
        self.name = f":{number}"
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(HANG_S)
        self._socket.connect(f"/tmp/.X11-unix/X{number}")
        self._socket.sendall(struct.pack("<BxHHHHxx", 0x6C, 11, 0, 0, 0))
        setup = self._read(8)
        body = self._read(4 * struct.unpack("<H", setup[6:8])[0])
        assert setup[0] == 1, body
        self._first, self._last = body[26], body[27]
        self._xtest = self._ask(struct.pack("<BxHHxx", 98, 4, 5) + b"XTEST\0\0\0")[0][9]
        count = self._last - self._first + 1
        head, names = self._ask(struct.pack("<BxHBBxx", 101, 2, self._first, count))
        each = head[1]
        self._keys = {}
        for index, (name,) in enumerate(struct.iter_unpack("<I", names)):
            self._keys.setdefault(name, self._first + index // each)

    def close(self):
        self._socket.close()

    def point(self, x, y):
        self._fake(6, 0, x, y)

    def press(self, character):
        code = self._keys[ord(character)]
        self._fake(2, code)
        self._fake(3, code)

    def button(self, *, down):
        self._fake(4 if down else 5, 1)

    def screenshot(self):
        """(H, W, 3) uint8 BGR."""
        with av.open(self.name, format="x11grab", timeout=HANG_S) as screen:
            return next(screen.decode(video=0)).to_ndarray(format="bgr24")

    def _fake(self, kind, detail, x=0, y=0):
        layout = "<BBHBBxxIIIIhhIHBB"
        self._socket.sendall(
            struct.pack(layout, self._xtest, 2, 9, kind, detail, 0, 0, 0, 0, x, y, 0, 0, 0, 0)
        )
        self._ask(struct.pack("<BxH", 43, 1))  # GetInputFocus: an answer, so all was done

    def _ask(self, request):
        self._socket.sendall(request)
        while (head := self._read(32))[0] != 1:  # an event that went to everybody
            assert head[0], f"X refuses: {head[1]}"
        return head, self._read(4 * struct.unpack("<I", head[4:8])[0])

    def _read(self, count):
        data = b""
        while len(data) < count:
            part = self._socket.recv(count - len(data))
            assert part, "the display has gone"
            data += part
        return data


@pytest.fixture
def display():
    """A virtual display, or a skip; with FAIL_WITHOUT_DISPLAY=1 a failure."""
    if not shutil.which("Xvfb"):
        (pytest.fail if os.environ.get("FAIL_WITHOUT_DISPLAY") else pytest.skip)("no Xvfb here")
    reading, writing = os.pipe()
    size = "x".join(map(str, SIZE))
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size}x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            number = int(answer.readline())
        with contextlib.closing(Display(number)) as connected:
            yield connected
    finally:
        server.terminate()
        server.wait()
