"""A real window on a virtual display: what it shows, and what keys and the mouse do."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from waiting import HANG_S
from xdisplay import SIZE, display  # noqa: F401 - a fixture

from stream.errors import SinkError
from stream.output.window import require_display

# Dark originals, bright results: so a screenshot tells which is where.
SHOWN = """
import cv2
import dataclasses, sys
import numpy as np
from fractions import Fraction
from stream.capture.realtime import RealtimeSource
from stream.capture.scene import SceneSource
from stream.frame import Planes
from stream.output.window import Window

def flat(value):
    return Planes(tuple(np.full(s, v, np.uint8) for s, v in
                        (((240, 320), value), ((120, 160), 128), ((120, 160), 128))))

quitting = []
window = Window("shown", status=lambda: ["model tiny"], on_quit=lambda: quitting.append(True))
source = RealtimeSource(SceneSource(320, 240, frame_rate=Fraction(20)))
window.open(dataclasses.replace(source.info, width=800, height=600))
cv2.moveWindow("shown", 0, 0)
dark, bright = flat(60), flat(200)
for frame in source.frames():
    window.write(frame.replace(planes=bright, original=dark))
    if frame.index == 0:
        print("open", flush=True)
    if quitting:
        break
window.finish()
print("closed", flush=True)
"""


@pytest.fixture
def window(display):  # noqa: F811
    process = subprocess.Popen(
        [sys.executable, "-c", SHOWN],
        stdout=subprocess.PIPE,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "WAYLAND_DISPLAY"}
        | {"DISPLAY": display.name},
    )
    assert process.stdout.readline() == "open\n"
    display.point(400, 200)
    yield process
    process.kill()
    process.communicate()


def until(display, condition):  # noqa: F811
    """The first screenshot of which this is true."""
    deadline = time.monotonic() + HANG_S / 2
    while time.monotonic() < deadline:
        picture = display.screenshot()[:, : SIZE[0]]
        if condition(picture):
            return picture
        time.sleep(0.05)
    if folder := os.environ.get("KEEP_SCREENSHOTS"):
        import cv2

        cv2.imwrite(f"{folder}/last.png", picture)
    raise AssertionError("the window never looked like that")


def bright_share(picture):
    """Of a line through the window's middle, where no text is."""
    line = picture[300, :780].mean(axis=1)
    return (line > 150).mean()


def has_text(picture, rows):
    """Pixels of pure white, which neither picture has."""
    return (picture[rows, 5:300].min(axis=2) > 245).sum() > 50


def test_keys_and_mouse(display, window):  # noqa: F811
    split = until(display, lambda p: 0.4 < bright_share(p) < 0.6 and has_text(p, slice(0, 90)))
    assert split[300, 100].mean() < 100 < 150 < split[300, 700].mean()
    if folder := os.environ.get("KEEP_SCREENSHOTS"):
        import cv2

        cv2.imwrite(f"{folder}/split.png", split)
    display.press("o")
    until(display, lambda p: not has_text(p, slice(0, 90)))
    display.press("3")
    until(display, lambda p: bright_share(p) == 0)
    display.press("4")
    until(display, lambda p: bright_share(p) > 0.95)
    display.press("1")
    until(display, lambda p: 0.4 < bright_share(p) < 0.6)
    display.press("2")
    until(display, lambda p: p[300, 390:410].min(axis=1).max() > 245)  # the divider
    display.press(",")
    until(display, lambda p: 0.52 < bright_share(p) < 0.56)
    display.press(",")
    until(display, lambda p: 0.57 < bright_share(p) < 0.62)
    display.point(200, 200)
    display.button(down=True)
    display.point(160, 200)
    display.button(down=False)
    until(display, lambda p: 0.75 < bright_share(p) < 0.85)
    display.press("q")
    assert window.stdout.readline() == "closed\n"
    assert window.wait() == 0


def python_says(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True
    )
    return done.stdout.strip()


CHECK = """
import {first}, {second}
from stream.errors import SinkError
from stream.output.window import require_display
try:
    require_display()
except SinkError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="X11 is Linux's")
def test_where_no_window_can_open_that_is_said_before_opencv_ends_the_program(monkeypatch):
    checked = CHECK.format(first="cv2", second="av")
    assert "no display: set DISPLAY" in python_says(checked, DISPLAY="", WAYLAND_DISPLAY="")
    assert "does not answer" in python_says(checked, DISPLAY=":9987", WAYLAND_DISPLAY="")
    late = CHECK.format(first="av", second="cv2")
    assert "import cv2 before av" in python_says(late, DISPLAY=":9987")
    if list(sys.modules).index("av") < list(sys.modules).index("cv2"):
        with pytest.raises(SinkError, match="import cv2 before av"):
            require_display()


def test_views_are_composed_of_the_source_s_own_planes():
    from stream.capture.synthetic import SyntheticSource
    from stream.output.views import View, compose

    frames = list(SyntheticSource(63, 47, 2, subsampling=(1, 0), bit_depth=10).frames())
    frame = frames[0].replace(original=frames[1].planes)
    sharp, blurred = (compose(frame, view, 0.5) for view in (View.SHARP, View.BLURRED))
    both = compose(frame, View.SIDE_BY_SIDE, 0.5)
    np.testing.assert_array_equal(both, np.concatenate([blurred, sharp], axis=1))
    split = compose(frame, View.SPLIT, 0.5)
    np.testing.assert_array_equal(split[:, :28], blurred[:, :28])
    np.testing.assert_array_equal(split[:, 36:], sharp[:, 36:])
    alone = frames[0]
    np.testing.assert_array_equal(compose(alone, View.BLURRED, 0), compose(alone, View.SHARP, 0))
