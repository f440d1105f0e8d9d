"""The screen as a source, on a virtual display."""

import json
import os
import subprocess
import sys
from fractions import Fraction

import av
import pytest
from xdisplay import SIZE, display  # noqa: F401 - a fixture

from stream.capture.address import SourceOptions, open_source
from stream.capture.screen import screen_connector, screens
from stream.errors import OpenError, SourceError


@pytest.mark.skipif("x11grab" not in av.formats_available, reason="PyAV has no x11grab")
def test_a_display_is_a_live_source(display, monkeypatch):  # noqa: F811
    monkeypatch.setenv("DISPLAY", display.name)
    monkeypatch.setattr("sys.platform", "linux")
    assert screens() == [("screen:", f"the display {display.name} (x11grab)")]
    whole = open_source("screen:", SourceOptions(rate=Fraction(20)))
    assert (whole.info.width, whole.info.height, whole.info.live) == (*SIZE, True)
    frames = whole.frames()
    pts = [next(frames).pts for _ in range(4)]
    whole.close()
    assert pts == sorted(set(pts))
    part = open_source(f"screen:{display.name}+100,50", SourceOptions(size=(320, 240)))
    assert (part.info.width, part.info.height) == (320, 240)
    part.close()


@pytest.mark.skipif("x11grab" not in av.formats_available, reason="PyAV has no x11grab")
def test_the_command_of_the_readme_shows_the_screen(display, random_model, tmp_path):  # noqa: F811
    """In a process of its own: it imports OpenCV first, beside which X11's grabber dies."""
    report = tmp_path / "report.json"
    outputs = ["--null", "--duration", "1", "--report", str(report)]
    result = subprocess.run(
        [sys.executable, "-m", "stream", "live", "screen:", "--model", random_model, *outputs],
        env=os.environ | {"DISPLAY": display.name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    facts = json.loads(report.read_text())
    assert facts["source"] == f"screen:{display.name}"
    assert facts["frames_out"] >= 1


@pytest.mark.skipif("x11grab" not in av.formats_available, reason="PyAV has no x11grab")
def test_the_process_that_grabs_ends_with_the_source(display):  # noqa: F811
    feed = screen_connector(display.name, None, Fraction(20), 5.0)()
    pictures = feed.pictures()
    next(pictures)
    feed._process.kill()
    with pytest.raises(SourceError, match=r"the process that reads it has ended"):
        list(pictures)
    feed.close()
    assert feed._process.returncode is not None


def test_a_display_that_is_not_there_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    if "x11grab" not in av.formats_available:
        pytest.skip("PyAV has no x11grab")
    with pytest.raises(OpenError, match="screen::9987 cannot be opened"):
        open_source("screen::9987")
