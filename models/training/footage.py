"""Sharp video kept ready for random access: shrunk frames in a file that processes share.

Compressed footage needs shrinking, about 1.5 times, to be sharp enough as a target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation.clips import reason
from models.training.frame_cache import RUN_FRAMES, file_key, open_frames
from models.training.pictures import sharpness
from models.training.split import Split
from models.videos import film_of, open_video

SHRINK = 1.5
LONG_SIDE = 720  # px, at most; 0.9 MB a frame
HELD_FRAMES = 24  # of the end of a video that both sides share, at least


@dataclass(frozen=True)
class Footage:
    """The kept frames of one video.

    frames: (N, H, W, 3) uint8 RGB, mapped read-only; sharpness: (N,) of each frame; starts: the
    first frame of each run of consecutive frames.
    """

    frames: NDArray[np.uint8]
    sharpness: NDArray[np.float32]
    starts: tuple[int, ...]

    def runs(self) -> list[range]:
        """The runs of consecutive frames."""
        stops = (*self.starts[1:], len(self.frames))
        return [range(start, stop) for start, stop in zip(self.starts, stops, strict=True)]

    def side(self, split: Split) -> Footage:
        """The last tenth for validation, 24 frames at least and half at most; or what is before."""
        held = min(max(HELD_FRAMES, len(self.frames) // 10), len(self.frames) // 2)
        kept = len(self.frames) - held
        part = range(kept) if split == "train" else range(kept, len(self.frames))
        window = slice(part.start, part.stop)
        return Footage(
            frames=self.frames[window],
            sharpness=self.sharpness[window],
            starts=tuple(
                max(run.start, part.start) - part.start
                for run in self.runs()
                if run.start < part.stop and run.stop > part.start
            ),
        )


def open_footage(video: Path, cache: Path, *, limit: int) -> Footage:
    """Map a video's frames, at most `limit`, from `cache`; decode them there if they are new."""
    key = f"{file_key(video)}|{limit}|{SHRINK}|{LONG_SIDE}"
    frames, facts = open_frames(cache, key, partial(_decode, video, limit))
    return Footage(
        frames=frames,
        sharpness=np.array(facts["sharpness"], np.float32),
        starts=tuple(facts["starts"]),
    )


def _decode(video: Path, limit: int, file: BinaryIO) -> dict[str, Any]:
    measured: list[float] = []
    starts: list[int] = []
    shape: tuple[int, ...] = ()
    for first, picture in _read(video, limit):
        if not shape:
            shape = picture.shape
        elif picture.shape != shape:  # a size change in mid-stream ends what can be mapped
            break
        if first:
            starts.append(len(measured))
        measured.append(sharpness(picture))
        file.write(picture.tobytes())
    if not measured:
        raise ValueError(f"{video}: no frame could be decoded; remove it from the footage")
    return {"shape": [len(measured), *shape], "sharpness": measured, "starts": starts}


def _read(video: Path, limit: int) -> Iterator[tuple[bool, NDArray[np.uint8]]]:
    """Frames with whether they begin a run: all of a short video, spread runs of a long one."""
    try:
        with open_video(video) as container:
            stream = film_of(container, video)
            stream.thread_type = "SLICE"
            length_s = float((container.duration or 0) / av.time_base)
            total = int(length_s * float(stream.average_rate or 25))
            runs = 1 if total <= 1.5 * limit else max(1, limit // RUN_FRAMES)
            for run in range(runs):
                if run:
                    container.seek(int(run / runs * length_s * av.time_base))
                for index, frame in enumerate(container.decode(stream)):
                    if index >= (RUN_FRAMES if runs > 1 else limit):
                        break
                    yield (
                        index == 0,
                        _shrink(np.asarray(frame.to_ndarray(format="rgb24", threads=1), np.uint8)),
                    )
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"{video}: not a readable video ({reason(error)})") from error


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(1 / SHRINK, LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
