"""A camera over a flat picture: which picture pixel each pixel of the clip sees at each moment.

Pure geometry: knows paths and sizes, no images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.motion import Floats, MotionPath

CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class Camera:
    """A view of `size` (height, width) px that follows `path` over a picture.

    The clip's pixel u, counted from its centre, sees picture pixel
    `zoom * (e^z R (u + lever) - lever + q) + centre` for the pose (q, turn R, log zoom z).
    `lever` is where the view's centre lies from the axis of turns, in px of the clip: a crop
    far from the middle of the frame mostly shifts when the camera rolls.
    """

    path: MotionPath
    size: tuple[int, int]
    zoom: float = 1.0
    centre: tuple[float, float] = (0.0, 0.0)
    lever: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if min(self.size) < 1 or self.zoom <= 0:
            raise ValueError(f"a camera needs a size and a zoom, not {self.size}, {self.zoom}")

    def matrices(self, times: Floats) -> Floats:
        """(N,) times in frames -> (N, 2, 3): clip pixel to picture pixel."""
        linear, shift = self._rigid(times)
        height, width = self.size
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        offset = self.zoom * (shift - linear @ middle) + np.array(self.centre)
        return np.concatenate([self.zoom * linear, offset[..., None]], axis=-1)

    def corners(self, times: Floats) -> Floats:
        """(N, 4, 2): where the view's corners lie, in px of the clip round `centre`."""
        linear, shift = self._rigid(times)
        height, width = self.size
        corners = np.array(CORNERS) * np.array([width / 2, height / 2])
        return np.asarray(np.einsum("nij,cj->nci", linear, corners) + shift[:, None])

    def bounds(self, times: Floats) -> tuple[Floats, Floats]:
        """The lowest and the highest (x, y) of all corners at all times."""
        corners = self.corners(times)
        return corners.min((0, 1)), corners.max((0, 1))

    def reach_px(self, start: float, stop: float) -> float:
        """Length of the longest way that a corner covers between two times."""
        corners = self.corners(np.linspace(start, stop, 9))
        return float(np.linalg.norm(np.diff(corners, axis=0), axis=-1).sum(0).max())

    def _rigid(self, times: Floats) -> tuple[Floats, Floats]:
        """Linear parts (N, 2, 2) and shifts (N, 2)."""
        pose = self.path.pose(times)
        scale = np.exp(pose[:, 3])
        cos, sin = np.cos(pose[:, 2]) * scale, np.sin(pose[:, 2]) * scale
        linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
        arm = np.array(self.lever)
        return linear, pose[:, :2] + linear @ arm - arm
