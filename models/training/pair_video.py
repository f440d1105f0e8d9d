"""A blurry and a sharp video of the same moments, kept ready for random access.

As `footage`, but at full size and frame by frame in step: every blurry frame lies beside its
sharp one in a file that processes map.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from models.errors import ClipError
from models.evaluation.clips import Clip

RUN_FRAMES = 48
"""Of each of the runs that a long video is sampled in."""


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

    Two processes may decode at once: each writes its own file and renames it over an equal one.
    ClipError if the videos can't be decoded, or differ in frames or size.
    """
    every = _runs_to_one(blurry, limit_bytes)
    facts = [f"{p.resolve()}|{p.stat().st_size}|{p.stat().st_mtime_ns}" for p in (blurry, sharp)]
    name = "|".join((*facts, str(every), str(RUN_FRAMES)))
    stem = cache / hashlib.sha256(name.encode()).hexdigest()[:24]
    record = stem.with_suffix(".json")
    if not record.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _decode(blurry, sharp, stem, every)
    shape, runs = json.loads(record.read_text())
    frames = np.memmap(stem.with_suffix(".rgb"), np.uint8, "r", shape=tuple(shape))
    return PairFrames(frames, tuple(range(*run) for run in runs))


def _decode(blurry: Path, sharp: Path, stem: Path, every: int) -> None:
    """Write every so many runs and then, as the sign that they are whole, the record."""
    mark = f".{os.getpid()}.part"
    pixels, record = stem.with_suffix(mark + "1"), stem.with_suffix(mark + "2")
    shape: tuple[int, ...] = ()
    kept = 0
    runs: list[list[int]] = []
    try:
        with pixels.open("wb") as file:
            pairs = zip_longest(
                Clip(blurry.stem, (blurry,)).frames(), Clip(sharp.stem, (sharp,)).frames()
            )
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
        record.write_text(json.dumps([[kept, 2, *shape], runs]))
        pixels.replace(stem.with_suffix(".rgb"))
        record.replace(stem.with_suffix(".json"))
    finally:
        pixels.unlink(missing_ok=True)
        record.unlink(missing_ok=True)


def _runs_to_one(video: Path, limit_bytes: int) -> int:
    """Of how many runs of frames one is kept, so that about `limit_bytes` are kept in all."""
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            length_s = float((container.duration or 0) / av.time_base)
            total = stream.frames or int(length_s * float(stream.average_rate or 25))
            frame_bytes = 2 * 3 * stream.width * stream.height
    except (av.FFmpegError, IndexError) as error:
        raise ClipError(f"{video} can't be decoded as a video: {error}") from error
    return max(1, -int(-total * frame_bytes // limit_bytes))
