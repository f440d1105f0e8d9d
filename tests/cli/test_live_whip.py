"""`deblur live whip://:PORT/KEY`: programs and browsers push by WebRTC."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from av_sync import offsets
from network import free_port
from sender import RATE

import stream.cli.live
from stream.cli import main

pytest.importorskip("aiortc")
SENDER = Path(__file__).parents[1] / "whip_sender.py"
PATIENT = ("--timeout", "600")
SOUND_S = 0.02  # of one packet of Opus


@pytest.fixture
def whip():
    """Where to listen, and a function that starts a sender; killed at the end."""
    port, started = free_port(), []

    class Place:
        address = f"whip://:{port}/live/KEY"
        url = f"http://127.0.0.1:{port}/live/KEY"

        @staticmethod
        def push(*options):
            argv = [sys.executable, str(SENDER), Place.url, *map(str, options)]
            started.append(subprocess.Popen(argv))

        @staticmethod
        def send(data):
            """What is answered to bytes."""
            with socket.create_connection(("127.0.0.1", port)) as peer:
                peer.sendall(data)
                return peer.recv(1000)

        @staticmethod
        def ask(method, path="/live/KEY", body=b"v=0"):
            """Status and headers."""
            url = f"http://127.0.0.1:{port}{path}"
            request = urllib.request.Request(url, body, method=method)
            while True:
                try:
                    with urllib.request.urlopen(request) as response:
                        return response.status, dict(response.headers)
                except urllib.error.HTTPError as error:
                    with error:
                        return error.code, error.read().decode()
                except urllib.error.URLError:
                    pass  # it doesn't listen yet

    yield Place
    for each in started:
        each.kill()
        each.wait()


def test_what_is_pushed_is_recorded_in_step_and_pushed_again_after_an_end(
    whip, live, tmp_path, monkeypatch
):
    """As OBS does: the sender hangs up, which is no error, and comes back."""
    path, back, say = tmp_path / "a.mkv", [], stream.cli.live._say

    def heard(message):
        say(message)
        if "connecting again" in message:
            whip.push("--sound")
        if "there again" in message:
            back.append(None)

    def on_progress(line, stats):
        if back:
            back.append(None)
        if len(back) == 60:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("stream.cli.live._say", heard)
    monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)
    whip.push("--sound", "--end", 70)
    code, report, said = live(whip.address, "--out", str(path), *PATIENT)
    assert code == 130, said.err
    assert "the sender has ended it" in said.err
    assert report["reconnects"] == 1
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]
    heard_too = offsets(path)
    found = [each for each in heard_too if abs(each) < 0.5]
    assert len(found) >= len(heard_too) - 2  # a connection's first flash may come before its sound
    assert len(found) >= 4
    assert found == pytest.approx([0] * len(found), abs=1 / RATE + SOUND_S)


def test_only_one_sender_that_knows_the_key_is_let_in(whip, live, monkeypatch):
    answers = {}

    def before():
        answers["no offer"] = whip.ask("POST")
        whip.push()

    def on_progress(line, stats):
        if stats.frames_out == 3:
            answers["wrong key"] = whip.ask("POST", "/live/other")
            answers["a second one"] = whip.ask("POST")
            answers["not by POST"] = whip.ask("PUT")
            answers["no HTTP"] = whip.send(b"\x16\x03\x01 nothing\r\n\r\n")
            answers["page of others"] = whip.ask("OPTIONS", body=None)
        if stats.frames_out == 5:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)
    first = threading.Thread(target=before)
    first.start()
    code, _, said = live(whip.address, "--null", *PATIENT)
    first.join()
    assert code == 130, said.err
    assert answers["no offer"][0] == 400
    assert "An offer of one video" in answers["no offer"][1]
    assert answers["wrong key"] == (404, "Nobody listens for that key.")
    assert answers["a second one"][0] == 409
    assert answers["not by POST"][0] == 405
    assert answers["no HTTP"].startswith(b"HTTP/1.0 400")
    assert "Traceback" not in said.err
    status, headers = answers["page of others"]
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, "*")


@pytest.mark.parametrize("address", ["whip://host:8080/KEY", "whip://:8080", "whip://:x/KEY"])
def test_an_address_that_nobody_can_push_to_is_one_clear_line(address, capsys):
    assert main(["live", address, "--null"]) == 1
    error = capsys.readouterr().err
    assert "write whip://:8080/KEY" in error
    assert error.count("\n") == 1


def test_a_port_that_is_taken_ends_the_run_at_once(whip, random_model, capsys):
    with socket.create_server(("", int(whip.url.split(":")[2].split("/")[0]))):
        assert main(["live", whip.address, "--null", "--model", random_model]) == 1
    assert "is taken or not ours; choose another" in capsys.readouterr().err


def test_without_the_libraries_the_remedy_is_named(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "stream.capture.whip", raising=False)
    monkeypatch.setitem(sys.modules, "aiortc", None)
    assert main(["live", "whip://:8080/KEY", "--null"]) == 1
    assert 'pip install "deblurstream[web]"' in capsys.readouterr().err


def test_a_sender_that_may_choose_begins_the_encryption():
    """Otherwise GStreamer's certificate, which is RSA, finds no cipher of aiortc's."""
    from aiortc import RTCConfiguration, RTCPeerConnection

    from stream.capture.whip import _Sender

    async def answer():
        peer, sender = RTCPeerConnection(RTCConfiguration(iceServers=[])), _Sender(False)
        try:
            peer.addTransceiver("video")
            await peer.setLocalDescription(await peer.createOffer())
            offer = peer.localDescription.sdp
            assert "a=setup:actpass" in offer
            return await sender.answer(offer)
        finally:
            await peer.close()
            await sender.close()

    assert "a=setup:passive" in asyncio.run(answer())
