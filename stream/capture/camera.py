"""Cameras of this machine: what there is, and how each system opens them.

FFmpeg's devices where it was built with them (AVFoundation, DirectShow, Video4Linux); on Linux,
where PyAV's packages leave Video4Linux out, OpenCV's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import av

from stream.capture.camera_mode import CameraMode
from stream.capture.connection import Connection
from stream.capture.feed import Feed, FeedAddress
from stream.errors import OpenError

_DEVICES = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_COMPRESSED = {"v4l2": {"input_format": "mjpeg"}, "dshow": {"vcodec": "mjpeg"}}


def cameras(root: Path = Path("/sys/class/video4linux")) -> list[tuple[str, str]]:
    """The address and the description of each camera that is plugged in."""
    if sys.platform == "linux":
        found = sorted(root.glob("video*"), key=lambda node: int(node.name.removeprefix("video")))
        return [
            (f"camera:{node.name.removeprefix('video')}", (node / "name").read_text().strip())
            for node in found
            if (node / "index").read_text().strip() == "0"  # the others carry no pictures
        ]
    device = _DEVICES.get(sys.platform, "")
    if device not in av.formats_available:
        return []
    found_devices = av.enumerate_input_devices(device)
    return [
        (f"camera:{each.name}", each.description)
        for each in found_devices
        if "video" in each.media_types
    ]


def camera_connector(name: str, mode: CameraMode, timeout_s: float) -> Callable[[], Connection]:
    """A function that opens a camera, and opens it again after it was unplugged.

    Args:
        name: Its number, or as `cameras` gives it; on Linux also the device's path.
        mode: What to ask for. Where MJPG can be negotiated, it is: raw pictures of a good size
            are too much for USB 2 at full rate.
        timeout_s: Without a picture for so long, it counts as lost.
    """
    name = name or "0"
    device = _DEVICES.get(sys.platform, "")
    if device in av.formats_available:
        return lambda: _device_feed(device, name, mode, timeout_s)
    if sys.platform == "linux":
        from stream.capture.video4linux import Video4Linux

        path = f"/dev/video{name}" if name.isdigit() else name
        return lambda: Video4Linux(path, mode, timeout_s)
    raise OpenError(f"camera:{name}: this build of FFmpeg has no {device or 'cameras'} here")


def _device_feed(device: str, name: str, mode: CameraMode, timeout_s: float) -> Feed:
    """Ask for MJPG, and where the camera has none, for whatever it gives."""
    if device == "v4l2":
        url = f"/dev/video{name}" if name.isdigit() else name
    else:
        url = f"video={name}" if device == "dshow" else f"{name}:none"
    options = {"framerate": str(mode.rate or 30)}
    if mode.size:
        options["video_size"] = f"{mode.size[0]}x{mode.size[1]}"
    compressed = _COMPRESSED.get(device, {})
    for extra in ([compressed] if compressed else []) + [{}]:
        try:
            return Feed(FeedAddress(url, f"camera:{name}", device, options | extra, timeout_s))
        except OpenError:
            if not extra:
                raise
    raise AssertionError
