"""What an engine is: planes and state in, planes and state out, whatever computes them.

Knows planes, not streams: what resets a state is `deblurrer`'s. `engines` opens one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream.frame import ColorTags, Planes
from stream.inference.device import Compute

if TYPE_CHECKING:
    from models.packing import Geometry

SIZES_KEPT = 8
"""Frame sizes that an engine stays ready for: one of 1080p holds some hundred megabytes.

More than `deblur serve` has in turns: one that is made anew costs a tenth of a second and more.
"""

State: TypeAlias = Any
"""What a stream carries from frame to frame; only the engine that made it can read it."""


def geometry_of(planes: Planes, color: ColorTags) -> Geometry:
    """Return the geometry of a picture."""
    from models.packing import Geometry

    shapes = tuple(array.shape for array in planes.arrays)
    full_range = color.full_range or color.rgb
    return Geometry(shapes, planes.subsampling, planes.bit_depth, full_range, color.matrix)


def picture_of(arrays: Sequence[Any], geometry: Geometry) -> Planes:
    """Return arrays as the planes of a picture of this geometry."""
    return Planes(tuple(arrays), geometry.subsampling, geometry.bit_depth)


Neighbours: TypeAlias = tuple[Planes | None, ...]
"""A frame's neighbours, moved to where it shows what they show (`models.alignment`).

The reference first, made of the frame before, then the next frame, for engines that look ahead;
None for one that is not there.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """One stream's part of a step; `finite` is False where the network's output is no number."""

    planes: Planes
    state: State
    finite: bool


class Engine(Protocol):
    """A model that is ready to run. Used from one thread."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def identity(self) -> str:
        """What the output depends on: equal for engines that give equal pixels."""

    @property
    def compute(self) -> Compute:
        """The device and precision in use."""

    @property
    def neighbours(self) -> int:
        """How many it makes use of: 0, `CAUSAL` or `LOOK_AHEAD` of `models.network`."""

    @property
    def aligned(self) -> bool:
        """See `models.registry.Weights`."""

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, as one batch.

        `neighbours` are of each picture; without any, no picture has one.

        A state is one that the call before returned for the stream, or None for a fresh one; the
        engine may overwrite it.
        """


def neighbours_of(
    neighbours: Sequence[Neighbours], pictures: Sequence[Planes], count: int
) -> Sequence[Neighbours]:
    """Each picture's neighbours, `count` of them, where some or all are not given."""
    given = neighbours or [()] * len(pictures)
    return [(*each, *[None] * (count - len(each)))[:count] for each in given]


def all_finite(values: NDArray[np.floating[Any]]) -> bool:
    """Whether each is a number: one that is none makes the sum none, in half the time."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))
