"""Every line of README.md that begins `deblur live`, run as a command of its own.

Addresses in them stand for places elsewhere; senders on loopback take those.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import av
import pytest
from network import sender  # noqa: F401 - a fixture
from xdisplay import display  # noqa: F401 - a fixture

README = Path(__file__).parents[2] / "README.md"
COMMAND = ".venv/bin/deblur live "
LINES = [line for line in README.read_text().splitlines() if line.startswith(COMMAND)]


@pytest.fixture
def run(display, random_model, tmp_path):  # noqa: F811
    """Runs a line with another source; returns its exit code, report and messages."""

    def start(line, source=None):
        named, *options = shlex.split(line.removeprefix(COMMAND), comments=True)
        if "--duration" not in options:
            options += ["--duration", "1"]
        if "--report" not in options:
            options += ["--report", "run.json"]
        argv = [source or named, *options, "--model", random_model]
        result = subprocess.run(
            [sys.executable, "-m", "stream", "live", *argv],
            env=os.environ | {"DISPLAY": display.name, "PYTHONPATH": str(README.parent)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        report = tmp_path / "run.json"
        return (
            result.returncode,
            json.loads(report.read_text()) if report.exists() else None,
            result.stderr,
        )

    return start


def the_line(begins):
    (found,) = (line for line in LINES if line.removeprefix(COMMAND).startswith(begins))
    return found


def test_no_line_is_left_out():
    sources = ["camera:0", "rtsp://camera/stream", "screen:", "rtmp://:1935/live/key", "test:"]
    assert [line.removeprefix(COMMAND).split()[0] for line in LINES] == sources


def test_a_camera_is_shown_or_its_absence_told_in_a_line(run):
    code, report, said = run(the_line("camera:0"))
    if Path("/dev/video0").exists():
        assert (code, report["frames_out"] > 0) == (0, True)
    else:
        assert code == 1
        assert "camera" in said.splitlines()[-1]
        assert "Traceback" not in said


def test_a_network_camera_is_shown_and_recorded(run, sender, tmp_path):  # noqa: F811
    far = sender("http")
    far.start("--sound", "aac")
    far.wait()
    code, report, said = run(the_line("rtsp://"), far.address)
    assert code == 0, said
    with av.open(str(tmp_path / "walk.mkv")) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        assert sum(1 for _ in container.decode(video=0)) == report["outputs"][0]["frames_written"]


def test_the_screen_becomes_a_camera_where_there_is_a_driver(run):
    code, report, said = run(the_line("screen:"))
    if code:
        assert code == 1
        assert any(word in said for word in ("no virtual camera (", "needs pyvirtualcam: pip"))
        assert "Traceback" not in said
    else:
        assert report["frames_out"] > 0


def test_a_program_that_pushes_is_recorded(run, sender, tmp_path):  # noqa: F811
    far = sender("rtmp", pushing=True)
    far.start("--sound", "aac")
    code, report, said = run(the_line("rtmp://"), far.address)
    assert code == 0, said
    assert report["sound"]["codec"] == "aac"
    with av.open(str(tmp_path / "obs.mkv")) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}


def test_the_synthetic_camera_is_measured(run):
    code, report, said = run(the_line("test:").replace("--duration 10", "--duration 1"))
    assert code == 0, said
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"] > 0
