"""Stages that need no file, with faults on demand."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from stream.errors import ModelError
from stream.frame import Discontinuity, Frame, Planes, StreamInfo
from stream.jobs.cluster import Made

PLANES = Planes((np.zeros((2, 2), np.uint8),))


class InjectedError(Exception):
    """What a stage raises when told to."""


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


class Faulty:
    """Raises `InjectedError` the n-th time a named point is passed."""

    def __init__(self, point: str | None = None, position: int = 0) -> None:
        self.calls: list[str] = []
        self._point = point
        self._position = position

    def passing(self, point: str) -> None:
        count = self.calls.count(point)
        self.calls.append(point)
        if (point, count) == (self._point, self._position):
            raise InjectedError(f"{point} {count}")


class FakeSource(Faulty):
    def __init__(self, frames: int = 6, *, live: bool = False, **fault: object) -> None:
        super().__init__(**fault)
        self.decode_failures = 0
        self.count = frames
        self.stopped = False
        self.info = StreamInfo(
            name="fake",
            width=2,
            height=2,
            pixel_format="gray",
            source_pixel_format="gray",
            time_base=Fraction(1, 30),
            frames_estimate=frames,
            live=live,
        )

    def frames(self) -> Iterator[Frame]:
        for index in range(self.count):
            self.passing("read")
            yield Frame(
                planes=PLANES,
                pts=index,
                time_base=self.info.time_base,
                index=index,
                discontinuity=None if index else Discontinuity.START,
            )
        self.passing("end")

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.passing("close source")


class FakeProcessor(Faulty):
    """Holds back ``lookahead`` frames, as a model that sees the future does."""

    def __init__(self, lookahead: int = 0, **fault: object) -> None:
        super().__init__(**fault)
        self._lookahead = lookahead
        self._held: list[Frame] = []

    def start(self, info: StreamInfo) -> None:
        self.passing("start")

    def process(self, frame: Frame) -> Sequence[Frame]:
        self.passing("process")
        self._held.append(frame)
        return [self._held.pop(0)] if len(self._held) > self._lookahead else []

    def flush(self) -> Sequence[Frame]:
        self.passing("flush")
        held, self._held = self._held, []
        return held

    def close(self) -> None:
        self.passing("close processor")


class Averaging(FakeProcessor):
    """Mixes every picture with the ones before, so that its state shows in what it gives."""

    def __init__(self, share: float = 0.6, **fault: object) -> None:
        super().__init__(**fault)
        self.share = share
        self.state: list[np.ndarray] | None = None

    def process(self, frame: Frame) -> Sequence[Frame]:
        self.passing("process")
        arrays = [array.astype(np.float32) for array in frame.planes.arrays]
        before = self.state or arrays
        pairs = zip(before, arrays, strict=True)
        self.state = [self.share * old + (1 - self.share) * new for old, new in pairs]
        mixed = [np.round(array).astype(frame.planes.dtype) for array in self.state]
        planes = Planes(tuple(mixed), frame.planes.subsampling, frame.planes.bit_depth)
        return [frame.replace(planes=planes)]

    def close(self) -> None:
        self.passing("close processor")
        self.state = None


class FakeSink(Faulty):
    def __init__(self, **fault: object) -> None:
        super().__init__(**fault)
        self.frames: list[Frame] = []

    def open(self, info: StreamInfo) -> None:
        self.passing("open")

    def write(self, frame: Frame) -> None:
        self.passing("write")
        self.frames.append(frame)

    def finish(self) -> None:
        self.passing("finish")

    def abort(self) -> None:
        self.passing("abort")


def make_averaging() -> Made:
    """For the workers of a cluster."""
    return Made(Averaging(), "averaging", {"model": "none"})


class Stuck(Averaging):
    """On the machine of a cluster that a file names it never ends; on others it waits for that."""

    def __init__(self) -> None:
        super().__init__()
        import ray

        folder = Path(os.environ["STUCK"])
        self._stuck = folder / "stuck"
        self._never = (folder / "machine").read_text() == ray.get_runtime_context().get_node_id()

    def process(self, frame: Frame) -> Sequence[Frame]:
        if self._never:
            self._stuck.touch()
        for _ in range(2400):
            if self._stuck.exists() and not self._never:
                return super().process(frame)
            time.sleep(0.05)
        raise InjectedError("waited in vain")


def make_stuck() -> Made:
    return Made(Stuck(), "averaging", {})


def make_nothing() -> Made:
    raise ModelError("there is no such model")
