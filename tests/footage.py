"""Small drawn footage for tests of training and scores, as folders of frames and videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.procedural import draw_scene

Picture = NDArray[np.uint8]  # (H, W, 3) RGB

HEIGHT, WIDTH = 40, 56


def pictures(count: int, seed: int = 0) -> list[Picture]:
    """Frames of a camera that pans over a drawn scene, a pixel a frame."""
    scene = draw_scene(np.random.default_rng(seed), HEIGHT, WIDTH + count)
    return [scene[:, start : start + WIDTH] for start in range(count)]


def blurred(frames: list[Picture]) -> list[Picture]:
    """The same, blurred along the columns."""
    return [np.asarray(cv2.blur(frame, (1, 5)), np.uint8) for frame in frames]


def write_frames(folder: Path, frames: Iterable[Picture], name: str = "{:03d}.png") -> Path:
    """A new folder of pictures; returns it."""
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        assert cv2.imwrite(str(folder / name.format(index)), frame[..., ::-1])
    return folder


def write_video(path: Path, frames: Sequence[Picture]) -> Path:
    """A lossless video, so that frames can be compared exactly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path
