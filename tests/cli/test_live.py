"""`deblur live` in this process, and once as a program that is told to stop."""

import json
import os
import signal
import subprocess
import sys

import pytest

from stream.cli import main


@pytest.fixture
def live(random_model, tmp_path, capsys):
    """Run the command with a fast model; returns its exit code, report and messages."""

    def run(*argv):
        report = tmp_path / "report.json"
        code = main(
            ["live", *argv, "--model", random_model, "--device", "cpu", "--report", str(report)]
        )
        return code, json.loads(report.read_text()), capsys.readouterr()

    return run


def test_the_synthetic_camera_for_two_seconds(live):
    code, report, said = live("test:160x120@20", "--null", "--duration", "2")
    assert code == 0
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]
    assert 20 <= report["frames_in"] <= 60
    assert report["frames_out"] > 5
    assert report["latency_ms"]["p95"] > report["latency_ms"]["p50"] > 0
    assert report["source"] == "test"
    assert "captured" in said.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(number, random_model, tmp_path):
    report = tmp_path / "report.json"
    argv = ["live", "test:160x120@20", "--null", "--model", random_model, "--report", str(report)]
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS_WHEN_RUNNING, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        assert process.stdout.readline() == "running\n"
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    counts = json.loads(report.read_text())
    assert counts["frames_in"] == counts["frames_out"] + counts["frames_dropped"] > 0


SAYS_WHEN_RUNNING = """
import sys
import stream.cli.live
from stream.cli import main
from stream.output.null import NullSink

class Telling(NullSink):
    told = False
    def write(self, frame):
        if not self.told:
            print("running", flush=True)
        self.told = True

stream.cli.live.NullSink = Telling
sys.exit(main())
"""


def test_the_list_names_what_there_is(capsys, monkeypatch):
    monkeypatch.setattr("stream.cli.live.cameras", lambda: [("camera:0", "HD Webcam")])
    monkeypatch.setattr("stream.cli.live.screens", lambda: [("screen:", "the display :0")])
    assert main(["live", "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "camera:0  HD Webcam",
        "screen:   the display :0",
        "test:     a synthetic camera",
    ]
    monkeypatch.setattr("stream.cli.live.cameras", list)
    assert main(["live", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "no camera is plugged in"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "SOURCE is missing"),
        (["none.mp4"], "none.mp4 is no source; give camera:N"),
        (["test:1x1"], "test:1x1 is no mode"),
        (["camera:63"], "/dev/video63 does not exist"),
    ],
)
def test_a_source_that_is_none_is_one_clear_line(argv, says, capsys):
    assert main(["live", *argv, "--null"]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
