"""The screen as a source, on a virtual display."""

from fractions import Fraction

import av
import pytest
from xdisplay import SIZE, display  # noqa: F401 - a fixture

from stream.capture.address import SourceOptions, open_source
from stream.capture.screen import screens
from stream.errors import OpenError


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


def test_a_display_that_is_not_there_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    if "x11grab" not in av.formats_available:
        pytest.skip("PyAV has no x11grab")
    with pytest.raises(OpenError, match="screen::9987 cannot be opened"):
        open_source("screen::9987")
