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
import signal
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

import cv2
import numpy as np
import psutil

from models import planes as yuv
from models.alignment import find_flow, moved, reduced_luma
from models.color import rgb_to_planes
from models.errors import ClipError
from models.packing import pack_420
from models.training.material import Material
from models.training.settings import BlurSettings
from models.training.synthesis import Clip

ORDERED_AHEAD = 24
"""Clips per renderer that are ordered before a step may draw them, so that all have work: with 8
for fourteen of them, a GPU waited for 43 % of the time, with 400 for fifteen, 0.1 %."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What the pool holds.

    Attributes:
        data: sharp stills and videos, or folders of them or of pairs.
        seed: two pools of equal settings hold equal clips.
        size: side of the rendered square, in pixels, a multiple of 16.
        frames: frames of a clip.
        capacity: clips held at once, when full.
        first: clips that must be there before the first step.
        renewal: clips added, and beyond the capacity retired, per training step.
        pair_share: clips cut from pairs, where there is sharp footage too.
        blur: the distribution of the synthesised blur.
    """

    data: tuple[str, ...]
    seed: int = 0
    size: int = 192
    frames: int = 8
    capacity: int = 4000
    first: int = 64
    renewal: float = 0.5
    pair_share: float = 0.5
    blur: BlurSettings = field(default_factory=BlurSettings)

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 16:
            raise ValueError(f"clip size is {self.size}; a multiple of 16 from 32 up is needed")
        if not 1 <= self.first <= self.capacity:
            raise ValueError(f"first is {self.first}; 1 to capacity ({self.capacity}) is needed")
        if self.frames < 1 or self.renewal < 0 or not 0 <= self.pair_share <= 1:
            raise ValueError(f"{self.frames} frames, {self.renewal} new clips a step and a share "
                             f"of pairs of {self.pair_share} make no pool")  # fmt: skip

    def window(self, step: int) -> range:
        """The numbers of the clips that training step `step` draws from."""
        stop = self.first + int(step * self.renewal)
        return range(max(0, stop - self.capacity), stop)


PICTURES = 3
"""Pictures of a frame in a record: blurry, sharp, and the next blurry one moved to it."""

FLOW_STEPS = 16
"""Flow is kept as 16-bit integers of this many steps a luma sample."""


def clip_record(clip: Clip, seed: int) -> np.ndarray:
    """A clip of T + 1 frames as T records: (T, H/4, W/4, 76) uint8.

    72 limited-range features of `PICTURES`, then the flow to the frame before, which `record_parts`
    takes apart. Averaged exposures read the same backwards, so half of the clips are reversed:
    reversed time is as true as forward time.
    """
    forward = slice(None, None, 1 - 2 * (seed // 2 % 2))
    blurry, sharp = (_planes(frames[forward], seed) for frames in (clip.blurry, clip.sharp))
    small = [reduced_luma(planes[0], 8) for planes in blurry]
    records = []
    for index in range(len(blurry) - 1):
        ahead = find_flow(small[index], small[index + 1])
        following = blurry[index + 1] if ahead is None else moved(blurry[index + 1], ahead)
        back = find_flow(small[index], small[max(0, index - 1)])
        flow = np.zeros((*small[index].shape, 2), np.float32) if back is None else back
        steps = np.clip(np.rint(flow * FLOW_STEPS), -(2**15), 2**15 - 1).astype(np.int16)
        pictures = [_packed(planes) for planes in (blurry[index], sharp[index], following)]
        records.append(np.concatenate([*pictures, steps.view(np.uint8)], axis=-1))
    return np.stack(records)


def record_parts(records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Records (..., 76) as features (..., 72) uint8 and flow (..., 2) int16."""
    features = PICTURES * yuv.CHANNELS
    return records[..., :features], np.ascontiguousarray(records[..., features:]).view(np.int16)


def _planes(frames: np.ndarray, matrix_seed: int) -> list[list[np.ndarray]]:
    matrix = ("bt601", "bt709")[matrix_seed % 2]
    return [list(rgb_to_planes(frame, yuv.Levels(), matrix)) for frame in frames]  # type: ignore[arg-type]


def _packed(planes: Sequence[np.ndarray]) -> np.ndarray:
    y, u, v = (plane[None] for plane in planes)
    packed: np.ndarray = pack_420(y, u, v, np)[0]
    return packed


LOWEST_PRIORITY = 19
"""Of POSIX, where a larger number gives way to a smaller one."""

_material: Material


def _start_renderer(material: Material) -> None:
    global _material
    _material = material
    # Ctrl-C reaches the whole group; the trainer still needs the clips of its last step
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_trainer, name="trainer watch", daemon=True).start()
    cv2.setNumThreads(0)
    _give_way()


def _give_way() -> None:
    """Leave the processors to the trainer, and to whatever else is at work, when they want them."""
    process = psutil.Process()
    if psutil.WINDOWS:
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(min(LOWEST_PRIORITY, process.nice() + 5))


def _end_with_trainer() -> None:
    """A killed trainer can't end its renderers: they would wait for orders for ever."""
    trainer = multiprocessing.parent_process()
    if trainer:
        wait([trainer.sentinel])
        os._exit(1)


def _render(number: int, settings: PoolSettings, path: Path) -> None:
    if path.exists():
        return
    clip = _material.clip(
        settings.seed * 1_000_000_007 + number,
        size=settings.size,
        frames=settings.frames + 1,
        blur=settings.blur,
        pair_share=settings.pair_share,
    )
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        np.save(file, clip_record(clip, number))
    partial.replace(path)


class ClipPool:
    """The clips on disk and the processes that render them; `close` ends those."""

    def __init__(self, folder: Path, settings: PoolSettings, *, workers: int = 1) -> None:
        self.settings = settings
        self._folder = folder
        self._pending: dict[int, Future[None]] = {}
        self._workers = workers
        self._stop = 0
        self._start = 0
        self.material = Material(settings.data, split="train")
        folder.mkdir(parents=True, exist_ok=True)
        self._discard_other_pool()
        self._executor = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_renderer,
            initargs=(self.material,),
        )

    def _discard_other_pool(self) -> None:
        """Remove clips that other settings made, and those that a killed renderer left half."""
        for path in self._folder.glob("*.part"):
            path.unlink()
        record = self._folder / "settings.json"
        wanted = json.dumps(asdict(self.settings) | {"capacity": 0, "first": 0, "renewal": 0})
        if not record.exists() or record.read_text() != wanted:
            for path in self._folder.glob("*.npy"):
                path.unlink()
            record.write_text(wanted)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}.npy"

    def advance(self, step: int, drawn: Iterable[int] = (), *, ahead: int | None = None) -> None:
        """Have the clips made that are `drawn`, then the newest; delete the retired ones.

        ahead: clips beyond those that the step may draw, by default `ORDERED_AHEAD` per renderer.

        A resumed run whose clips are gone goes on at once: what it draws is made first, and the
        rest of its window when it is drawn.
        """
        ahead = ORDERED_AHEAD * self._workers if ahead is None else ahead
        window = self.settings.window(step)
        begin = self._stop or max(window.start, window.stop - self.settings.first)
        for number in (*drawn, *range(begin, window.stop + ahead)):
            if number not in self._pending and not self._path(number).exists():
                self._order(number)
        self._stop = max(self._stop, window.stop + ahead)
        for number in range(self._start, window.start):
            future = self._pending.pop(number, None)
            if future is None or not future.cancel():
                self._path(number).unlink(missing_ok=True)
        self._start = max(self._start, window.start)

    def _order(self, number: int) -> None:
        try:
            self._pending[number] = self._executor.submit(
                _render, number, self.settings, self._path(number)
            )
        except BrokenProcessPool as error:
            raise _renderer_died() from error

    def clip(self, number: int) -> np.ndarray:
        """Clip `number` as the records of `clip_record`, (T, h, w, 76) uint8, mapped from disk.

        Waits until it is rendered, and has it rendered again if its file went missing or is cut
        short. ClipError if its renderer can't make it.
        """
        self._wait(number)
        try:
            return self._mapped(number)
        except (OSError, ValueError):
            self._path(number).unlink(missing_ok=True)
            self._order(number)
            self._wait(number)
            return self._mapped(number)

    def _wait(self, number: int) -> None:
        future = self._pending.pop(number, None)
        if future is None:
            return
        try:
            future.result()
        except BrokenProcessPool as error:
            raise _renderer_died() from error
        except ValueError as error:
            raise ClipError(str(error)) from error
        except OSError as error:
            raise ClipError(f"clip {number} can't be written: {error}") from error

    def _mapped(self, number: int) -> np.ndarray:
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


def _renderer_died() -> ClipError:
    return ClipError("a rendering process was ended from outside, perhaps for want of memory: "
                     "--resume goes on, with fewer --workers if it happens again")  # fmt: skip
