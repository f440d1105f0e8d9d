"""`deblur live` where senders and receivers are not there yet, go away, or never were."""

import base64
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
from clips import Clip
from network import free_port, sender  # noqa: F401 - a fixture
from web_camera import MULTIPART, jpeg, part, steadily, web_camera  # noqa: F401 - a fixture

import stream.cli.live
from stream.cli import main

RECEIVER = Path(__file__).parents[1] / "receiver.py"


@pytest.fixture
def told(monkeypatch):
    """Calls a function of the test's with every message."""
    say = stream.cli.live._say

    def listen(heard):
        def on_message(message):
            say(message)
            heard(message)

        monkeypatch.setattr("stream.cli.live._say", on_message)

    return listen


def test_a_push_waits_for_its_server_and_finds_it_again(live, told, monkeypatch):
    """Its server is absent at first, goes away after ten frames, and comes back."""
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    servers = []

    def heard(message):
        if "trying again" in message or "connecting again" in message:
            argv = [sys.executable, str(RECEIVER), address, *(["10"] if not servers else [])]
            servers.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
        if "there again" in message:
            threshold.append(None)

    threshold = []

    def on_progress(line, stats):
        if threshold:
            threshold.append(None)
        if len(threshold) == 40:
            os.kill(os.getpid(), signal.SIGINT)

    told(heard)
    monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)
    try:
        code, report, said = live("test:160x120@20", "--out", address, "--wait", "600")
        counted, _ = servers[-1].communicate()
    finally:
        for server in servers:
            server.kill()
            server.wait()
            server.stdout.close()
    assert code == 130, said.err
    output = report["outputs"][0]
    assert (output["error"], output["reconnects"]) == (None, 1)
    assert output["frames_dropped"] > 0
    assert output["frames_written"] + output["frames_dropped"] == report["frames_out"]
    assert 0 < int(counted) <= output["frames_written"] - 10


def test_a_server_that_is_not_there_ends_a_run_that_shall_not_wait(live, capsys):
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    with pytest.raises(FileNotFoundError):  # no report, for nothing was run
        live("test:160x120@20", "--out", address)
    assert "refused" in capsys.readouterr().err


def test_a_sender_that_comes_later_is_waited_for_where_we_listen(sender, live, told):  # noqa: F811
    far = sender("udp")
    told(lambda message: far.start() if "trying again" in message else None)
    code, report, said = live(far.address, "--null", "--timeout", "1", frames=5)
    assert code == 0, said.err
    assert said.err.count("trying again for 300 s") == 1
    assert report["frames_out"] >= 5


def test_a_server_that_comes_later_is_waited_for_where_asked(sender, live, told):  # noqa: F811
    far = sender("http")
    told(lambda message: far.start() if "trying again" in message else None)
    code, _, said = live(far.address, "--null", "--wait", "600", frames=5)
    assert code == 0, said.err


@pytest.mark.parametrize("kind", ["rtmp", "tcp"])
def test_a_program_pushes_straight_in_stops_and_pushes_again(
    kind,
    sender,  # noqa: F811
    live,
    told,
    monkeypatch,
):
    """As OBS does."""
    far, back = sender(kind, pushing=True), []

    def heard(message):
        if "connecting again" in message:
            far.start()
        if "there again" in message:
            back.append(None)

    def on_progress(line, stats):
        if stats.frames_out == 10:
            far.kill()
        if back:
            back.append(None)
        if len(back) == 12:
            os.kill(os.getpid(), signal.SIGINT)

    told(heard)
    monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)
    far.start()
    code, report, said = live(far.address, "--null", "--timeout", "600")
    assert code == 130, said.err
    assert report["reconnects"] == 1
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_address_that_is_wrong_is_not_tried_again(status, web_camera, capsys):  # noqa: F811
    web_camera.status = status
    assert main(["live", web_camera.address("/x"), "--null", "--wait", "600"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"({status})" in error


REFUSING = """
import socketserver, sys

class Refusing(socketserver.StreamRequestHandler):
    def handle(self):
        while request := self.rfile.readline().decode():
            headers = {}
            while line := self.rfile.readline().decode().strip():
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            self.rfile.read(int(headers.get("content-length", 0)))
            print(request.split()[0], flush=True)
            status = "200 OK" if request.startswith("OPTIONS") else sys.argv[1]
            answer = f"RTSP/1.0 {status}\\r\\nCSeq: {headers['cseq']}\\r\\n\\r\\n"
            self.wfile.write(answer.encode())

with socketserver.TCPServer(("127.0.0.1", 0), Refusing) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
"""
"""A server of RTSP that answers with one status; apart, for a push holds Python's lock."""


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
@pytest.mark.parametrize("direction", ["from", "to"])
def test_a_server_that_refuses_ends_the_run_at_once(direction, status, capsys):
    argv = [sys.executable, "-c", REFUSING, status]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = f"rtsp://127.0.0.1:{int(server.stdout.readline())}/live"
            pull = [address, "--null"]
            places = pull if direction == "from" else ["test:64x64", "--out", address]
            assert main(["live", *places, "--model", "tiny", "--wait", "600"]) == 1
        finally:
            server.kill()
            asked = server.stdout.read().split()
    error = capsys.readouterr().err
    assert f"({status[:3]})" in error
    assert "trying again" not in error
    assert asked.count("DESCRIBE" if direction == "from" else "ANNOUNCE") == 1


def test_what_is_no_video_is_told_in_a_sentence_at_once(web_camera, capsys, clip):  # noqa: F811
    web_camera.pages["/page"] = ("text/html", lambda: iter([b"<html><body>Please log in</body>"]))
    with av.open(str(clip(Clip(audio="aac")))) as container:
        sound = io.BytesIO()
        with av.open(sound, "w", format="adts") as out:
            copied = out.add_stream_from_template(container.streams.audio[0])
            for packet in container.demux(audio=0):
                if packet.size:
                    packet.stream = copied
                    out.mux(packet)
    web_camera.pages["/sound"] = ("audio/aac", lambda: iter([sound.getvalue()]))
    for address, words in (
        (web_camera.address("/page"), "is a web page or another text, not a video"),
        (web_camera.address("/sound"), "holds sound alone, and no video"),
        ("http://nobody.invalid/x", "no machine of that name is known"),
        ("rtsp://nobody.invalid/x", "no machine of that name is known"),
    ):
        assert main(["live", address, "--null", "--wait", "600"]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("kept", ["file", "environment"])
def test_a_password_is_kept_out_of_the_command(kept, web_camera, live, tmp_path, monkeypatch):  # noqa: F811
    secret = "se/cr#et?@ 1"
    web_camera.challenge = 'Basic realm="cam"'
    web_camera.secret = base64.b64encode(f"me:{secret}".encode()).decode()
    web_camera.pages["/"] = (MULTIPART, lambda: steadily(20, lambda i: part(jpeg(i % 200))))
    extra = []
    if kept == "file":
        (tmp_path / "password").write_text(f"{secret}\n")
        extra = ["--password-file", str(tmp_path / "password")]
    else:
        monkeypatch.setenv("DEBLUR_PASSWORD", secret)
    address = web_camera.address("/").replace("http://", "http://me@")
    code, report, said = live(address, "--null", *extra, frames=3)
    assert code == 0, said.err
    assert secret not in said.err + report["source"]


@pytest.mark.parametrize("user", ["", "me:known@"])
def test_a_password_for_nobody_is_wrong_usage(user, tmp_path, capsys):
    (tmp_path / "password").write_text("secret")
    argv = [f"http://{user}host/", "--null", "--password-file", str(tmp_path / "password")]
    with pytest.raises(SystemExit, match="2"):
        main(["live", *argv])
    assert "let SOURCE name a user alone" in capsys.readouterr().err
