"""A restored frame, mended where its neighbour came out sharper.

Blur comes in bursts: most blurred frames have a sharper one beside them, which shows the same. It
is moved to where the frame shows it, by the flow between what the network made of both, and takes
the frame's place where it has more detail and, seen coarsely, the same content. Nothing of this is
learnt, so it serves every network. Knows planes, not streams; works on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.alignment import REDUCTION, Plane, explains, find_flow, moved, reduced_luma

_MOST = 0.85
"""Of a neighbour that is taken: some of the frame's own stays, so that errors die out."""

_LEAST = 0.05
"""Of a neighbour, at the place where most of it is taken: less is not worth the work."""

_MORE, _MUCH_MORE = 1.25, 1.7
"""Times the frame's detail from which some, and at which `_MOST` is taken."""

_UNLIKE = 0.8
"""How much contents may differ coarsely, in contrasts of the frame, to count by a sixteenth."""

_LEAST_DETAIL = 0.5
"""In squared codes of 8 bits: less is noise."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a network made of a frame.

    Attributes:
        planes: As of the frame, luma or green first; (H, W), chroma of any subsampling.
        bit_depth: Of their samples.
        small: Their `reduced_luma`.
        detail: How much there is around each place of that: the mean square of the step from one
            sample to the next, in codes of 8 bits.
    """

    planes: Sequence[Plane]
    bit_depth: int
    small: NDArray[np.uint8]
    detail: NDArray[np.float32]

    @classmethod
    def of(cls, planes: Sequence[Plane], bit_depth: int) -> Restored:
        """Planes of one picture; they are kept as they are."""
        small = reduced_luma(planes[0], bit_depth)
        return cls(planes, bit_depth, small, _detail(planes[0], bit_depth, small.shape))

    def mended_by(self, neighbour: Restored) -> Restored:
        """The frame with what a neighbour of the same shape shows sharper, or the frame itself."""
        planes = self.mended_planes(neighbour)
        return self if planes is self.planes else Restored.of(planes, self.bit_depth)

    def mended_planes(self, neighbour: Restored) -> Sequence[Plane]:
        """The planes of `mended_by`, new ones.

        They are the frame's own where nothing is sharper there, where that shows something else,
        and where frames are too small for flow.
        """
        flow = find_flow(self.small, neighbour.small)
        if flow is None:
            return self.planes
        on_small = flow / np.float32(REDUCTION)
        small, detail = moved([neighbour.small, neighbour.detail], on_small)
        if not explains(self.small, small):
            return self.planes
        share = self._share(small, detail)
        if share.max() < _LEAST:
            return self.planes
        return [
            _mixed(own, other, share)
            for own, other in zip(self.planes, moved(neighbour.planes, flow), strict=True)
        ]

    def _share(self, small: Plane, detail: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much of a neighbour is taken, 0 to `_MOST`, at the resolution of `small`."""
        own, other = (_smooth(luma.astype(np.float32), 1) for luma in (self.small, small))
        contrast = np.sqrt(self.detail) + np.float32(1)
        unlike = _smooth(cv2.absdiff(own, other), 1) / (np.float32(_UNLIKE) * contrast)
        alike = 1 / np.square(np.square(1 + np.square(unlike)))
        times = detail / (self.detail + np.float32(_LEAST_DETAIL))
        wanted = (times - np.float32(_MORE)) / np.float32(_MUCH_MORE - _MORE)
        return _smooth(np.float32(_MOST) * np.clip(wanted, 0, 1) * alike, 0.5)


def _detail(luma: Plane, bit_depth: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """See `Restored.detail`; (h, w), the given shape."""
    codes = (luma >> (bit_depth - 8)).astype(np.uint8, copy=False)
    total = np.zeros(shape, np.float32)
    if min(luma.shape) < 2:  # there is no step
        return total
    for one, next_one in ((codes[:, 1:], codes[:, :-1]), (codes[1:], codes[:-1])):
        step = cv2.absdiff(one, next_one)
        squares = cv2.multiply(step, step, dtype=cv2.CV_16U)
        total += cv2.resize(squares, shape[::-1], interpolation=cv2.INTER_AREA)
    return _smooth(total / 2, 1.5)


def _smooth(values: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)


def _mixed(own: Plane, other: Plane, share: NDArray[np.float32]) -> Plane:
    """Own samples moved towards others by a share of the difference, rounded."""
    shares = cv2.resize(share, own.shape[::-1], interpolation=cv2.INTER_LINEAR)
    change = np.rint(shares * (other.astype(np.float32) - own))
    return np.asarray(own + change, own.dtype)
