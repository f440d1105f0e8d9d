"""`deblur live` with sources that are heard: what it records and sends is heard too, in step.

The sender flashes and beeps at the same moments, so time stamps tell whatever the load is.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
from av_sync import beeps, offsets, pictures_of
from network import free_port, sender  # noqa: F401 - a fixture
from sender import RATE, parser, send

import stream.cli.live

PATIENT = ("--timeout", "600")
FRAME_S = 1 / RATE
PACKET_S = 1152 / 48000  # of sound: what is heard begins somewhere within one
RECEIVER = Path(__file__).parents[1] / "receiver.py"


def require_in_step(path, least=2):
    found = offsets(path)
    assert len(found) >= least
    assert found == pytest.approx([0] * len(found), abs=FRAME_S + PACKET_S)


@pytest.mark.parametrize(
    ("codec", "name", "written"),
    [
        ("aac", "a.mkv", "aac"),
        ("aac", "a.mp4", "aac"),
        ("ac3", "live.m3u8", "ac3"),
        ("mp2", "a.mp4", "aac"),
    ],
)
def test_a_recording_carries_the_sound_in_step(codec, name, written, sender, live, tmp_path):  # noqa: F811
    far, path = sender("udp"), tmp_path / name
    far.start("--sound", codec)
    code, report, said = live(far.address, "--out", str(path), *PATIENT, frames=70)
    assert code == 0, said.err
    assert f", {codec} sound" in said.err
    assert report["sound"]["codec"] == codec
    assert report["sound"]["packets"] > 0 == report["sound"]["lost"]
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == written
    require_in_step(path)
    assert abs(beeps(path)[1] - pictures_of(path)[-1][0] - FRAME_S) <= FRAME_S


def test_a_recording_stays_in_step_when_the_sender_starts_its_clock_anew(
    sender,  # noqa: F811
    live,
    tmp_path,
):
    far, path = sender("udp"), tmp_path / "a.mkv"
    far.start("--sound", "aac", "--restart", 50)
    code, _, said = live(far.address, "--out", str(path), *PATIENT, frames=130)
    assert code == 0, said.err
    require_in_step(path, least=5)


@pytest.fixture
def restarted(monkeypatch):
    """Kills a sender after some frames, starts it again when it is missed, ends the run later."""

    def arrange(far, *options):
        back, say = [], stream.cli.live._say

        def heard(message):
            say(message)
            if "connecting again" in message:
                far.start(*options)
            if "there again" in message:
                back.append(None)

        def on_progress(line, stats):
            if stats.frames_out == 50:
                far.kill()
            if back:
                back.append(None)
            if len(back) == 80:
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr("stream.cli.live._say", heard)
        monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)

    return arrange


def test_a_recording_goes_on_in_step_after_a_reconnection(sender, live, restarted, tmp_path):  # noqa: F811
    far, path = sender("tcp"), tmp_path / "a.mkv"
    restarted(far, "--sound", "aac")
    far.start("--sound", "aac")
    code, report, said = live(far.address, "--out", str(path), "--wait", "600", *PATIENT)
    assert code == 130, said.err
    assert report["reconnects"] == 1
    assert report["sound"]["lost"] == 0
    require_in_step(path, least=4)


@pytest.mark.parametrize(
    ("options", "said_of"),
    [
        (("--sound", "mp2"), "mp2, 48000 Hz"),
        (("--sound", "aac", "--sound-rate", 44100), "aac, 44100 Hz"),
    ],
)
def test_sound_that_comes_back_otherwise_is_left_out_with_a_word_where_it_is_copied(
    options,
    said_of,
    sender,  # noqa: F811
    live,
    restarted,
    tmp_path,
):
    far, path = sender("tcp"), tmp_path / "a.mkv"
    restarted(far, *options)
    far.start("--sound", "aac")
    code, report, said = live(far.address, "--out", str(path), "--wait", "600", *PATIENT)
    assert code == 130, said.err
    assert said.err.count(f"sound in {said_of}, was not there when it began: left out") == 1
    assert report["sound"]["lost"] > 0
    assert offsets(path)[:2] == pytest.approx([0, 0], abs=FRAME_S)


@pytest.mark.parametrize("options", [("aac",), ("mp2", "--sound-rate", 44100)])
def test_sound_that_comes_back_otherwise_goes_on_in_step_where_it_is_encoded(
    options,
    sender,  # noqa: F811
    live,
    restarted,
    tmp_path,
):
    far, path = sender("tcp"), tmp_path / "a.mp4"
    restarted(far, "--sound", *options)
    far.start("--sound", "mp2")
    code, report, said = live(far.address, "--out", str(path), "--wait", "600", *PATIENT)
    assert code == 130, said.err
    assert "left out" not in said.err
    assert report["sound"]["lost"] == 0
    require_in_step(path, least=4)
    assert beeps(path)[1] >= pictures_of(path)[-1][0] - 1  # it is heard to the end


def test_pictures_go_on_where_the_sound_ends(sender, live, tmp_path):  # noqa: F811
    far, path = sender("udp"), tmp_path / "a.mkv"
    far.start("--sound", "aac", "--end", 40)
    code, report, said = live(far.address, "--out", str(path), *PATIENT, frames=100)
    assert code == 0, said.err
    assert len(pictures_of(path)) == report["outputs"][0]["frames_written"]


def test_a_push_carries_the_sound_in_step(sender, live, tmp_path):  # noqa: F811
    far, path = sender("udp"), tmp_path / "a.mkv"
    address = f"rtmp://127.0.0.1:{free_port()}/live/key"
    far.start("--sound", "mp2")
    argv = [sys.executable, str(RECEIVER), address, "0", str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        try:
            code, _, said = live(
                far.address, "--out", address, "--wait", "600", *PATIENT, frames=120
            )
            server.communicate()
        finally:
            server.kill()
    assert code == 0, said.err
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    require_in_step(path)


def test_nothing_is_said_of_sound_that_nobody_takes(sender, live):  # noqa: F811
    far = sender("udp")
    far.start("--sound", "aac")
    code, report, said = live(far.address, "--null", *PATIENT, frames=3)
    assert code == 0, said.err
    assert report["sound"] is None
    assert "sound" not in said.err


def test_a_file_at_its_own_pace_is_heard_too(live, tmp_path):
    played, path = tmp_path / "played.ts", tmp_path / "a.mp4"
    send(str(played), parser().parse_args([str(played), "--sound", "mp2", "--restart", "60"]))
    code, report, said = live(str(played), "--realtime", "--out", str(path))
    assert code == 0, said.err
    assert f"{played}: mp2 sound" in said.err
    assert report["frames_out"] == 60
    assert report["sound"]["lost"] == 0
    require_in_step(path)
    assert abs(beeps(path)[1] - pictures_of(path)[-1][0] - FRAME_S) <= FRAME_S
