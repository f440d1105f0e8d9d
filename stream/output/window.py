"""The stream in a window on this machine's screen. Lives on the caller's thread."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import cv2

from stream.errors import SinkError
from stream.frame import Frame, StreamInfo
from stream.output.views import View, compose, draw_text, label

KEYS = "1 both, 2 split, 3 blurred, 4 deblurred, , and . move the divider, o figures, q quit"
_STEP = 0.05  # of the width, for one key
_LARGEST = (1600, 900)


class Window:
    """Shows each frame beside or against its original.

    Args:
        title: Of the window.
        status: Gives the lines to show under the frame rate and latency.
        on_quit: Called when the user closes the window or presses q.
        clock: Seconds, the same clock as ``Frame.captured_at``.
    """

    def __init__(
        self,
        title: str = "deblur",
        *,
        status: Callable[[], list[str]] = list,
        on_quit: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.view = View.SPLIT
        self.divider = 0.5
        self.figures = True
        self._title = title
        self._status = status
        self._on_quit = on_quit
        self._clock = clock
        self._shown: deque[float] = deque(maxlen=60)  # when each of the last frames was
        self._latency_s = 0.0
        self._frame: Frame | None = None
        self._open = False
        self._seen = False
        self._dragging = False

    def open(self, info: StreamInfo) -> None:
        """Open the window.

        Raises:
            SinkError: There is no display, or this OpenCV has no windows.
        """
        require_display()
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")  # on missing fonts
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
            cv2.setMouseCallback(self._title, self._on_mouse)
        except cv2.error as error:
            raise SinkError(
                "this OpenCV has no windows: pip uninstall opencv-python-headless, then "
                "pip install opencv-python"
            ) from error
        self._open = True
        shrink = max(1.0, info.width / _LARGEST[0], info.height / _LARGEST[1])
        cv2.resizeWindow(self._title, round(info.width / shrink), round(info.height / shrink))

    def write(self, frame: Frame) -> None:
        """Show one frame, and answer to keys."""
        now = self._clock()
        self._shown.append(now)
        latency_s = now - frame.captured_at
        self._latency_s += 0.1 * (latency_s - self._latency_s) if self._frame else latency_s
        self._frame = frame
        self._draw()
        self.tend()

    def tend(self) -> None:
        """Answer to keys and the mouse; also to be called while no frame comes."""
        if not self._open:
            return
        key = cv2.waitKey(1) & 0xFF
        if key != 0xFF:
            self._on_key(chr(key))
            self._draw()
        visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        if self._seen and not visible:
            self._on_quit()
        self._seen = visible  # at first it takes the display a moment to show it

    def finish(self) -> None:
        """Close the window."""
        if self._open:
            self._open = False
            if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1:
                cv2.destroyWindow(self._title)
            cv2.waitKey(1)  # it goes only when its messages are looked at

    def abort(self) -> None:
        """Close the window."""
        self.finish()

    def lines(self) -> list[str]:
        """The figures: frame rate, latency, and what the run has to say."""
        rate = 0.0
        if len(self._shown) > 1:
            rate = (len(self._shown) - 1) / max(1e-6, self._shown[-1] - self._shown[0])
        return [f"{rate:.1f} fps  {1e3 * self._latency_s:.0f} ms", *self._status()]

    def _draw(self) -> None:
        if self._frame is None:
            return
        picture = compose(self._frame, self.view, self.divider)
        if self.figures:
            draw_text(picture, self.lines(), 0)
            label(picture, self.view, self.divider)
        cv2.imshow(self._title, picture)

    def _on_key(self, key: str) -> None:
        if key in {view.value for view in View}:
            self.view = View(key)
        elif key in ",.":
            self.divider += _STEP if key == "." else -_STEP
            self.divider = min(1.0, max(0.0, self.divider))
        elif key == "o":
            self.figures = not self.figures
        elif key in ("q", "\x1b"):
            self._on_quit()

    def _on_mouse(self, event: int, x: int, y: int, flags: int, parameter: Any) -> None:
        if event in (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONUP):
            self._dragging = event == cv2.EVENT_LBUTTONDOWN
        if self._dragging and self._frame and self.view is View.SPLIT:
            self.divider = min(1.0, max(0.0, x / self._frame.width))


def require_display() -> None:
    """Make sure that a window can open: without a display, OpenCV ends the whole program.

    Where PyAV was imported before OpenCV, its own libxcb serves OpenCV's windows too, and they
    hang for ever (PyAV#1050, opencv#29195).

    Raises:
        SinkError: There is no display, or OpenCV came too late.
    """
    if sys.platform != "linux":
        return
    loaded = list(sys.modules)
    if "av" in loaded and loaded.index("av") < loaded.index("cv2"):
        raise SinkError("a window would hang: import cv2 before av, and before stream's parts")
    display = os.environ.get("DISPLAY", "")
    host, _, number = display.rpartition(":")
    if not number:
        raise SinkError("no display: set DISPLAY, or use --out or --null instead of a window")
    if host not in ("", "unix"):
        return  # another machine's
    path = f"/tmp/.X11-unix/X{number.partition('.')[0]}"  # noqa: S108 - X11's own place
    for address in (path, f"\0{path}"):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(address)
            except OSError:
                continue
            return
    raise SinkError(f"the display {display} does not answer; use --out or --null instead")
