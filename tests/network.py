"""Senders on loopback, each a process of its own."""

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import HANG_S


def free_port(kind=socket.SOCK_STREAM):
    with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sender:
    """Starts and kills the program of `sender.py` for one address.

    ``address`` is where to receive. Over UDP, and where it is ``pushing``, the sender finds the
    receiver; over TCP and HTTP it listens otherwise, and serves one receiver.
    """

    def __init__(self, kind, *, pushing=False):
        port = free_port(socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        self.address = f"{kind}://127.0.0.1:{port}"
        extra = {"udp": "?pkt_size=1316", "tcp": "?listen=1"}.get(kind, "")
        self._url = self.address + extra
        if pushing:
            path = "/live/key" if kind == "rtmp" else ""
            self.address = f"{kind}://:{port}{path}"
            self._url = f"{kind}://127.0.0.1:{port}{path}"
        self._process = None

    def start(self, *options):
        self.kill()  # on a busy machine a receiver may miss one that is still there
        script = Path(__file__).with_name("sender.py")
        argv = [sys.executable, str(script), self._url, *map(str, options)]
        self._process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)

    def wait(self):
        """Until somebody answers at the address, which only the kind "http" survives."""
        host, _, port = self.address.rpartition("/")[2].partition(":")
        deadline = time.monotonic() + HANG_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                return
            time.sleep(0.05)
        raise TimeoutError(self.address)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def sender():
    """A function that gives the sender of a kind; killed at the end."""
    made = []

    def make(kind, **options):
        made.append(Sender(kind, **options))
        return made[-1]

    yield make
    for each in made:
        each.kill()
