"""A blurry and a sharp video of the same moments, kept ready for random access.

As `footage`, but at full size and frame by frame in step: every blurry frame lies beside its
sharp one in a file that processes map.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from models.errors import ClipError
from models.evaluation.clips import Clip, reason
from models.training.frame_cache import RUN_FRAMES, file_key, open_frames
from models.videos import film_of, open_video


@dataclass(frozen=True, slots=True)
class PairFrames:
    """The kept frames of a pair of videos.

    frames: (N, 2, H, W, 3) uint8 RGB, blurry and sharp, mapped read-only; runs: which of them are
    consecutive.
    """

    frames: NDArray[np.uint8]
    runs: tuple[range, ...]


def open_pair_video(blurry: Path, sharp: Path, cache: Path, *, limit_bytes: int) -> PairFrames:
    """Map the frames of two videos, `limit_bytes` at most, from `cache`; decode them if new.

    ClipError if the videos can't be decoded, or differ in frames or size.
    """
    every = _runs_to_one(blurry, limit_bytes)
    key = f"pair|{file_key(blurry)}|{file_key(sharp)}|{every}|{RUN_FRAMES}"
    frames, facts = open_frames(cache, key, partial(_decode, blurry, sharp, every))
    return PairFrames(frames, tuple(range(*run) for run in facts["runs"]))


def _decode(blurry: Path, sharp: Path, every: int, file: BinaryIO) -> dict[str, Any]:
    """Write one of every so many runs."""
    shape: tuple[int, ...] = ()
    kept = 0
    runs: list[list[int]] = []
    pairs = zip_longest(Clip(blurry.stem, (blurry,)).frames(), Clip(sharp.stem, (sharp,)).frames())
    for index, (source, target) in enumerate(pairs):
        if source is None or target is None:
            raise ClipError(f"{blurry} and {sharp} differ in their number of frames")
        shape = shape or source.shape
        if not source.shape == target.shape == shape:
            raise ClipError(f"{blurry} and {sharp} differ in size, or change it")
        run, place = divmod(index, RUN_FRAMES)
        if run % every:
            continue
        if not runs or (place == 0 and every > 1):
            runs.append([kept, kept])
        file.write(source.tobytes())
        file.write(target.tobytes())
        kept += 1
        runs[-1][1] = kept
    if not kept:
        raise ClipError(f"{blurry}: no frame could be decoded")
    return {"shape": [kept, 2, *shape], "runs": runs}


def _runs_to_one(video: Path, limit_bytes: int) -> int:
    """Of how many runs of frames one is kept, so that about `limit_bytes` are kept in all."""
    try:
        with open_video(video) as container:
            stream = film_of(container, video)
            length_s = float((container.duration or 0) / av.time_base)
            total = stream.frames or int(length_s * float(stream.average_rate or 25))
            frame_bytes = 2 * 3 * stream.width * stream.height
    except (av.FFmpegError, IndexError) as error:
        raise ClipError(f"{video} can't be decoded as a video: {reason(error)}") from error
    return max(1, -int(-total * frame_bytes // limit_bytes))
