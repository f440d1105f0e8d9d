"""The deblurred stream as a camera that other programs can open: video calls, recorders."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from stream.errors import SinkError
from stream.frame import Frame, StreamInfo
from stream.pixel_format import write_picture

_DRIVERS = {
    "linux": "load its driver: apt-get install v4l2loopback-dkms, then modprobe v4l2loopback",
    "darwin": "install OBS, start its virtual camera once, and quit it",
    "win32": "install OBS, which brings the driver",
}


class VirtualCamera:
    """A camera of the source's size and rate, through pyvirtualcam."""

    def __init__(self) -> None:
        self._camera: Any = None

    def open(self, info: StreamInfo) -> None:
        """Find the driver.

        Raises:
            SinkError: The package or the driver is missing, or the camera is in use.
        """
        try:
            import pyvirtualcam
        except ImportError as error:
            raise SinkError(
                "a virtual camera needs pyvirtualcam: pip install 'deblurstream[virtualcam]'"
            ) from error
        self._size = (max(2, info.width & ~1), max(2, info.height & ~1))
        try:
            self._camera = pyvirtualcam.Camera(
                *self._size, float(info.frame_rate or 30), fmt=pyvirtualcam.PixelFormat.I420
            )
        except (RuntimeError, OSError) as error:
            remedy = _DRIVERS.get(sys.platform, "install its driver")
            said = " ".join(str(error).split()).rstrip(".")
            raise SinkError(f"no virtual camera ({said}); {remedy}") from error

    def write(self, frame: Frame) -> None:
        """Show one frame.

        Raises:
            SinkError: The driver has gone.
        """
        picture = write_picture(frame, "yuv420p", self._size)
        try:
            self._camera.send(np.ascontiguousarray(picture.to_ndarray()))
        except (RuntimeError, OSError) as error:
            raise SinkError(f"the virtual camera has gone ({error})") from error

    def finish(self) -> None:
        """Give the camera back."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def abort(self) -> None:
        """Give the camera back."""
        self.finish()
