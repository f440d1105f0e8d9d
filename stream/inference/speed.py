"""How long a model takes on this machine: measured when it is first asked for, and remembered."""

import contextlib
import time
from collections.abc import Callable
from fractions import Fraction

import cv2
import numpy as np

from models.runtimes import available_cores
from stream.frame import Frame, Planes
from stream.inference.deblurrer import Deblurrer
from stream.inference.machine import record_of

_SIZE = (360, 640)  # height and width of what is tried
_LASTING_S = 0.5
_LEAST = 4  # frames
_STREAM = -2  # nobody else's


def seconds_per_megapixel(
    deblurrer: Deblurrer,
    *,
    cores: int | None = None,
    clock: Callable[[], float] | None = None,
) -> float:
    """What a million pixels of a frame cost, in seconds, alignment and look-ahead included.

    On a CPU it is this process's time on its cores, shared out among them, which does not depend
    on what other processes do. Elsewhere it is time as it passes. It is measured once for an engine
    and a processor, which takes about half a second, and kept in the user's cache: next time it is
    the same.

    Args:
        deblurrer: is given some frames of a stream of its own.
        cores: of a CPU, at work for the video at a time; None for all there are.
        clock: seconds, for tests.
    """
    on_cpu = deblurrer.compute.device == "cpu"
    clock = clock or (time.process_time if on_cpu else time.perf_counter)
    shared = (cores or available_cores()) if on_cpu else 1
    record = record_of("speed", deblurrer.identity_at(1), repr(deblurrer.compute))
    if record:
        with contextlib.suppress(OSError, ValueError):
            return float(record.read_text(encoding="utf-8")) / shared
    found = _measured(deblurrer, clock)
    if record:
        with contextlib.suppress(OSError):  # then it is measured again
            record.parent.mkdir(parents=True, exist_ok=True)
            partial = record.with_suffix(".part")
            partial.write_text(f"{found:.6g}", encoding="utf-8")
            partial.replace(record)
    return float(f"{found:.6g}") / shared


def _measured(deblurrer: Deblurrer, clock: Callable[[], float]) -> float:
    """By the fastest of some frames of a pan."""
    rng = np.random.default_rng(0)
    noise = rng.integers(16, 236, _SIZE).astype(np.uint8)
    scene = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    chroma = np.full((_SIZE[0] // 2, _SIZE[1] // 2), 128, np.uint8)
    resets = deblurrer.resets.copy()
    took: list[float] = []
    began = clock()
    while len(took) < _LEAST or clock() < began + _LASTING_S:
        planes = Planes((np.roll(scene, 4 * len(took), axis=1), chroma, chroma))
        frame = Frame(planes=planes, pts=len(took), time_base=Fraction(1, 30), stream_id=_STREAM)
        before = clock()
        deblurrer.process(frame)
        took.append(clock() - before)
    deblurrer.forget(_STREAM)
    deblurrer.resets = resets
    return min(took[2:]) / (_SIZE[0] * _SIZE[1] / 1e6)
