"""A pool of rendered clips that is renewed while training runs.

Clip n is a pure function of the settings and n, and the clips that a training step may draw are a
pure function of the step. So a run that was killed sees the same data again when it resumes,
whether its clips are still on disk or must be rendered once more. Imports no Keras: the renderers
are separate processes that must start fast and stay small.
"""

import contextlib
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from models import planes as yuv
from models.color import rgb_to_planes
from models.errors import ClipError
from models.training.scenes import SceneLibrary
from models.training.synthesis import BlurSettings, render_clip


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What the pool holds.

    Attributes:
        data: folders of sharp stills and videos.
        seed: two pools of equal settings hold equal clips.
        size: side of the rendered square, in pixels, a multiple of 16.
        frames: frames of a clip.
        capacity: clips held at once, when full.
        first: clips that must be there before the first step.
        renewal: clips added, and beyond the capacity retired, per training step.
        blur: the distribution of the blur.
    """

    data: tuple[str, ...]
    seed: int = 0
    size: int = 192
    frames: int = 6
    capacity: int = 4000
    first: int = 64
    renewal: float = 0.5
    blur: BlurSettings = field(default_factory=BlurSettings)

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 16:
            raise ValueError(f"clip size is {self.size}; a multiple of 16 from 32 up is needed")
        if not 1 <= self.first <= self.capacity:
            raise ValueError(f"first is {self.first}; 1 to capacity ({self.capacity}) is needed")

    def window(self, step: int) -> range:
        """The numbers of the clips that training step `step` draws from."""
        stop = self.first + int(step * self.renewal)
        return range(max(0, stop - self.capacity), stop)


def clip_features(frames: np.ndarray, matrix_seed: int) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB to (T, H/4, W/4, 24) uint8 limited-range features."""
    matrix = ("bt601", "bt709")[matrix_seed % 2]
    planes = [rgb_to_planes(frame, yuv.Levels(), matrix) for frame in frames]  # type: ignore[arg-type]
    y, u, v = (np.stack(plane) for plane in zip(*planes, strict=True))
    packed: np.ndarray = yuv.pack(y, u, v, np)
    return packed


_library: SceneLibrary


def _start_renderer(data: Sequence[str]) -> None:
    global _library
    cv2.setNumThreads(0)
    os.nice(5)
    _library = SceneLibrary([Path(folder) for folder in data], split="train")


def _render(number: int, settings: PoolSettings, path: Path) -> None:
    if path.exists():
        return
    clip = render_clip(
        _library,
        settings.seed * 1_000_000_007 + number,
        height=settings.size,
        width=settings.size,
        frames=settings.frames,
        settings=settings.blur,
    )
    features = np.stack([clip_features(clip.blurry, number), clip_features(clip.sharp, number)])
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.save(file, features)
    partial.replace(path)


class ClipPool:
    """The clips on disk and the processes that render them; `close` ends those."""

    def __init__(self, folder: Path, settings: PoolSettings, *, workers: int = 1) -> None:
        self.settings = settings
        self._folder = folder
        self._workers = workers
        self._pending: dict[int, Future[None]] = {}
        self._stop = 0
        self._start = 0
        try:
            SceneLibrary([Path(data) for data in settings.data], split="train")
        except ValueError as error:
            raise ClipError(str(error)) from error
        folder.mkdir(parents=True, exist_ok=True)
        self._discard_other_pool()
        self._executor = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_renderer,
            initargs=(settings.data,),
        )

    def _discard_other_pool(self) -> None:
        """Remove clips that other settings made."""
        record = self._folder / "settings.json"
        wanted = json.dumps(asdict(self.settings) | {"capacity": 0, "first": 0, "renewal": 0})
        if not record.exists() or record.read_text() != wanted:
            for path in self._folder.glob("*.npy"):
                path.unlink()
            record.write_text(wanted)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.npy"

    def advance(self, step: int, *, ahead: int = 8) -> None:
        """Order the clips that step needs and the next few, and delete the retired ones."""
        window = self.settings.window(step)
        begin = max(self._stop, window.start)
        for number in range(begin, window.stop + ahead):
            self._pending[number] = self._executor.submit(
                _render, number, self.settings, self._path(number)
            )
        self._stop = max(self._stop, window.stop + ahead)
        for number in range(self._start, window.start):
            self._path(number).unlink(missing_ok=True)
        self._start = max(self._start, window.start)

    def clip(self, number: int) -> np.ndarray:
        """Clip `number` as (2, T, h, w, 24) uint8, blurry then sharp, mapped from disk.

        Waits until it is rendered; raises what its renderer raised.
        """
        future = self._pending.get(number)
        if future is not None:
            future.result()
            del self._pending[number]
        mapped: np.ndarray = np.load(self._path(number), mmap_mode="r")
        return mapped

    def close(self) -> None:
        """Cancel what is not rendered yet and end the processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "ClipPool":
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            self.close()
