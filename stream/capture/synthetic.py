"""A moving pattern as a source, the same on every run: for tests, benchmarks and first trials."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import count

import numpy as np

from stream.frame import Discontinuity, Frame, Plane, Planes, StreamInfo, chroma_size
from stream.pixel_format import format_of

_STEP = 3  # pixels per frame, sideways
_BLOCK = 24  # pixels: size of the pattern's squares; small ones look like a scene cut each frame
_TRAVEL = 64  # frames until the pattern repeats


class SyntheticSource:
    """Coloured squares moving sideways.

    Args:
        width: In pixels.
        height: In pixels.
        frames: How many; None for no end.
        frame_rate: Frames per second.
        subsampling: As in `Planes`.
        bit_depth: As in `Planes`.
    """

    def __init__(
        self,
        width: int = 1280,
        height: int = 720,
        frames: int | None = 120,
        frame_rate: Fraction = Fraction(30),
        *,
        subsampling: tuple[int, int] = (1, 1),
        bit_depth: int = 8,
    ) -> None:
        self.decode_failures = 0
        self._frames = frames
        rng = np.random.default_rng(0)
        chroma = chroma_size(width, height, subsampling)
        self._steps = (_STEP << subsampling[0], _STEP, _STEP)
        self._canvases = [
            _pattern(rng, size, step, bit_depth)
            for size, step in zip(((width, height), chroma, chroma), self._steps, strict=True)
        ]
        self._widths = (width, chroma[0], chroma[0])
        self._subsampling = subsampling
        self._bit_depth = bit_depth
        pixel_format = format_of(self._planes(0))
        self.info = StreamInfo(
            name="synthetic",
            width=width,
            height=height,
            pixel_format=pixel_format,
            source_pixel_format=pixel_format,
            time_base=1 / frame_rate,
            frame_rate=frame_rate,
            frames_estimate=frames,
            duration_s=None if frames is None else float(frames / frame_rate),
        )

    def frames(self) -> Iterator[Frame]:
        """The pattern, frame by frame; see `stream.stages.Source.frames`."""
        info = self.info
        for index in count() if self._frames is None else range(self._frames):
            yield Frame(
                planes=self._planes(index),
                pts=index,
                time_base=info.time_base,
                duration=1,
                color=info.color,
                index=index,
                captured_at=time.perf_counter(),
                discontinuity=None if index else Discontinuity.START,
            )

    def stop(self) -> None:
        """Nothing to cut short: it waits for one frame at most."""

    def close(self) -> None:
        """Nothing is held."""

    def _planes(self, index: int) -> Planes:
        lefts = [index % _TRAVEL * step for step in self._steps]
        arrays = tuple(
            canvas[:, left : left + width].copy()
            for canvas, left, width in zip(self._canvases, lefts, self._widths, strict=True)
        )
        return Planes(arrays, self._subsampling, self._bit_depth)


def _pattern(rng: np.random.Generator, size: tuple[int, int], step: int, bit_depth: int) -> Plane:
    """Random squares, wide enough for the whole travel, within limited range."""
    width, height = size[0] + _TRAVEL * step, size[1]
    squares = rng.integers(32, 224, (-(-height // _BLOCK), -(-width // _BLOCK)), np.uint16)
    canvas = squares.repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:height, :width] << (bit_depth - 8)
    return canvas.astype(np.uint8) if bit_depth == 8 else canvas.astype(np.uint16)
