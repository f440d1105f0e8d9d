"""Scene cuts: whether a frame shows another scene than the one before it."""

import numpy as np

from stream.frame import Planes

GRID = 16
"""Every GRID-th luma sample of every GRID-th row is compared."""

THRESHOLD = 0.15
"""Mean absolute change of luma, as a share of the code range, above which a frame is a cut.

The largest change between frames of three walking and panning clips was 0.096; PySceneDetect's
content detector draws the line at 27 of 255 in the mean of three channels, which is about 0.11.
"""


class CutDetector:
    """Compares each frame's luma with the last one it was shown."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self._last: np.ndarray | None = None

    def is_cut(self, planes: Planes) -> bool:
        """Whether this frame differs too much from the one before; False for the first."""
        sample = planes.arrays[0][::GRID, ::GRID].astype(np.float32) / (1 << planes.bit_depth)
        last, self._last = self._last, sample
        if last is None or last.shape != sample.shape:
            return False
        return float(np.abs(sample - last).mean()) > self._threshold
