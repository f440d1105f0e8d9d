"""What flows through the pipeline: pixels, their time, and how to read their colour.

Owns the types; of libraries knows numpy alone (no container, codec, display or model).
"""

from __future__ import annotations

import dataclasses
import enum
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream.hdr import HdrMetadata

Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Planes:
    """The pixels of one picture as the codec delivered them: Y, U, V, or Y alone for grey.

    Where the frame's ``color.matrix`` is 0 (RGB in H.273) the three planes are G, B, R.

    Attributes:
        arrays: One or three C-order arrays (H, W), read-only: uint8 up to 8 bits, else uint16
            with the value in the low bits.
        subsampling: log2 of the chroma's horizontal and vertical reduction, as in FFmpeg's pixel
            format descriptors: (1, 1) is 4:2:0, (1, 0) 4:2:2, (0, 0) 4:4:4. Chroma of an odd
            size is rounded up. A grey picture has (0, 0).
        bit_depth: 8 to 16.
    """

    arrays: tuple[Plane, ...]
    subsampling: tuple[int, int] = (1, 1)
    bit_depth: int = 8

    def __post_init__(self) -> None:
        if len(self.arrays) not in (1, 3):
            raise ValueError(f"a picture has 1 or 3 planes, not {len(self.arrays)}")
        if not 8 <= self.bit_depth <= 16:
            raise ValueError(f"bit depth is 8 to 16, not {self.bit_depth}")
        if len(self.arrays) == 1:
            object.__setattr__(self, "subsampling", (0, 0))
        for array, shape in zip(self.arrays, self._shapes(), strict=True):
            if array.dtype != self.dtype:
                raise ValueError(f"{self.bit_depth}-bit planes are {self.dtype}, not {array.dtype}")
            if array.shape != shape or 0 in shape:
                raise ValueError(f"a plane should be {shape}, not {array.shape}: {self!r}")
            if not array.flags.c_contiguous:
                raise ValueError(f"planes are in C order: {self!r}")
        object.__setattr__(self, "arrays", tuple(_read_only(array) for array in self.arrays))

    def _shapes(self) -> list[tuple[int, int]]:
        chroma = chroma_size(self.width, self.height, self.subsampling)[::-1]
        return [(self.height, self.width), chroma, chroma][: len(self.arrays)]

    @property
    def width(self) -> int:
        """Of the luma, in pixels."""
        return int(self.arrays[0].shape[-1])

    @property
    def height(self) -> int:
        """Of the luma, in pixels."""
        return int(self.arrays[0].shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 for 8 bits, uint16 above."""
        return np.dtype(np.uint8 if self.bit_depth == 8 else np.uint16)

    def __repr__(self) -> str:
        shapes = ", ".join("x".join(map(str, array.shape)) for array in self.arrays)
        return f"Planes({shapes}; {self.bit_depth} bit, subsampling {self.subsampling})"


def chroma_size(width: int, height: int, subsampling: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a chroma plane, rounded up as codecs do."""
    x, y = subsampling
    return -(-width >> x), -(-height >> y)


def _read_only(array: Plane) -> Plane:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class ColorTags:
    """How numbers become colours, in FFmpeg's (H.273) integers; passed through, never applied.

    Attributes:
        range: 0 unspecified, 1 limited (16-235 at 8 bits), 2 full.
        primaries: For example 1 BT.709, 9 BT.2020; 2 unspecified.
        transfer: For example 1 BT.709, 16 PQ, 18 HLG; 2 unspecified.
        matrix: For example 1 BT.709, 6 BT.601, 9 BT.2020; 0 RGB; 2 unspecified.
    """

    range: int = 0
    primaries: int = 2
    transfer: int = 2
    matrix: int = 2

    @property
    def full_range(self) -> bool:
        """Whether black is 0 rather than 16 (at 8 bits); unspecified counts as limited."""
        return self.range == 2

    def limited(self) -> ColorTags:
        """Return the same of samples in limited range."""
        return dataclasses.replace(self, range=1)

    @property
    def rgb(self) -> bool:
        """Whether the planes are green, blue and red rather than luma and chroma."""
        return self.matrix == 0


class Discontinuity(enum.Enum):
    """Why a frame does not continue the one before it, so that no state may cross."""

    START = "start"
    SEEK = "seek"
    RECONNECT = "reconnect"
    PTS_BACKWARDS = "pts backwards"
    GAP = "gap"
    SIZE_CHANGE = "size change"
    SCENE_CUT = "scene cut"
    LEVEL_CHANGE = "level change"
    NON_FINITE = "non-finite output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One picture and its place in time. `replace` is the only way to make an output frame.

    Attributes:
        planes: The pixels.
        pts: Presentation time in units of ``time_base``; strictly increasing within a stream.
        time_base: Seconds per unit.
        duration: In units of ``time_base``; 0 where the source does not say.
        color: How to read the planes.
        alpha: Transparency, (H, W) like the luma and of its depth, 0 for transparent; None for an
            opaque picture. It is passed on, never corrected.
        stream_id: Which stream, where several share an engine.
        index: 0, 1, 2, ... as read, dropped frames included.
        captured_at: ``time.perf_counter()`` when the source delivered it; latency counts from it.
        gap: How many frames were dropped just before this one.
        discontinuity: Why this frame does not continue the previous one, or None.
        original: The pixels as captured, where an output shows both; None where none asked.
    """

    planes: Planes
    pts: int
    time_base: Fraction
    duration: int = 0
    color: ColorTags = ColorTags()
    alpha: Plane | None = None
    stream_id: int = 0
    index: int = 0
    captured_at: float = 0.0
    gap: int = 0
    discontinuity: Discontinuity | None = None
    original: Planes | None = None

    @property
    def width(self) -> int:
        """In pixels."""
        return self.planes.width

    @property
    def height(self) -> int:
        """In pixels."""
        return self.planes.height

    def replace(self, **changes: Any) -> Frame:
        """A copy with ``changes``; everything else, time above all, stays."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """What is known of a stream before its first frame; enough to open an encoder.

    Attributes:
        name: Path, URL or device, as errors should name it.
        width: In pixels, before rotation.
        height: In pixels, before rotation.
        pixel_format: FFmpeg's name for the planes that flow, an alpha plane included; ``yuvj*``
            becomes ``yuv*`` with ``color.range`` 2.
        source_pixel_format: FFmpeg's name for what the source holds.
        time_base: Of every frame's pts.
        start_pts: Of the first frame, which need not be 0.
        frame_rate: Average frames per second, for progress and rate control only; or None.
        frames_estimate: For progress only; or None.
        duration_s: Estimate, for people only; or None.
        live: Whether late frames are worthless: the latest one wins.
        codec: FFmpeg's name of the source's codec, or "" for raw pictures.
        profile: FFmpeg's name of the codec's profile, or "" where it has or tells none.
        color: How to read the planes.
        sample_aspect_ratio: Width of a pixel over its height; None where unknown.
        display_matrix: FFmpeg's 3x3 fixed-point matrix, row by row; None for upright.
        hdr: The display it was graded on, or None.
        not_carried: What the pictures come with that does not flow, in words: captions.
    """

    name: str
    width: int
    height: int
    pixel_format: str
    source_pixel_format: str
    time_base: Fraction
    start_pts: int = 0
    frame_rate: Fraction | None = None
    frames_estimate: int | None = None
    duration_s: float | None = None
    live: bool = False
    codec: str = ""
    profile: str = ""
    color: ColorTags = ColorTags()
    sample_aspect_ratio: Fraction | None = None
    display_matrix: tuple[int, ...] | None = None
    hdr: HdrMetadata | None = None
    not_carried: tuple[str, ...] = ()

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which a player turns the picture: 0, 90, 180 or 270, as a rule."""
        if self.display_matrix is None:
            return 0
        a, b = self.display_matrix[0], self.display_matrix[1]
        return round(math.degrees(math.atan2(b, a))) % 360
