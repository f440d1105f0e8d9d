"""What an engine is: planes and state in, planes and state out, whatever computes them.

Knows planes, not streams: what resets a state is `deblurrer`'s. An engine lives in a file of its
own, which is imported when it is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from models.image_model import is_image_model
from stream.errors import ModelError
from stream.frame import ColorTags, Planes
from stream.inference.device import Compute, Device, Precision, choose

Runtime = Literal["auto", "tensorflow", "litert", "onnx", "openvino"]

_RGB = 0

State: TypeAlias = Any
"""What a stream carries from frame to frame; only the engine that made it can read it."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a step is compiled for.

    Attributes:
        shapes: (H, W) of each plane.
        subsampling: log2 reduction of the chroma, horizontal and vertical.
        bit_depth: bits per sample.
        full_range: whether black is code 0.
        matrix: how the planes make colours, as in `ColorTags`.
    """

    shapes: tuple[tuple[int, ...], ...]
    subsampling: tuple[int, int]
    bit_depth: int
    full_range: bool
    matrix: int

    @classmethod
    def of(cls, planes: Planes, color: ColorTags) -> "Geometry":
        """The geometry of a picture."""
        shapes = tuple(array.shape for array in planes.arrays)
        full_range = color.full_range or color.matrix == _RGB
        return cls(shapes, planes.subsampling, planes.bit_depth, full_range, color.matrix)

    @property
    def rgb(self) -> bool:
        """Whether the planes are G, B, R."""
        return self.matrix == _RGB

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each plane's samples in a patch of 4x4 luma; 4:2:0 chroma has 2x2."""
        x, y = self.subsampling
        chroma = 4 >> y, 4 >> x
        return ((4, 4), chroma, chroma)[: len(self.shapes)]

    @property
    def channels(self) -> tuple[int, ...]:
        """Samples of each plane in a patch."""
        return tuple(rows * columns for rows, columns in self.blocks)

    @property
    def is_420(self) -> bool:
        """Whether the planes are Y, U and V with chroma of half the rows and columns."""
        return not self.rgb and self.blocks == ((4, 4), (2, 2), (2, 2))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples."""
        return np.dtype(np.uint8 if self.bit_depth == 8 else np.uint16)


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

    def run(
        self, pictures: Sequence[Planes], states: Sequence[State | None], geometry: Geometry
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, as one batch.

        A state is one that an earlier call returned for the stream, or None for a fresh one.
        """


def open_engine(
    model: str,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = "auto",
) -> Engine:
    """The engine for a model, which takes very large frames in tiles.

    Args:
        model: a name of `models.registry`, a weights file, or a SavedModel folder or ONNX file of
            somebody else's that maps RGB frames.
        device: see `stream.inference.device.choose`; TensorFlow alone has others than the CPU.
        precision: likewise; the others compute in float32.
        runtime: what computes; "auto" is ONNX Runtime for float32 on a CPU, where it is quicker
            (docs/performance.md), and TensorFlow for all else.

    Raises:
        ModelError: there is no such model, or it can't run here.
    """
    from stream.inference.tiles import TiledEngine

    if is_image_model(model):
        if runtime != "auto":
            raise ModelError(f"{model} runs on the runtime of its format: leave out --runtime")
        from stream.inference.image_engine import ImageEngine

        wanted = "float32" if precision == "auto" else precision
        return TiledEngine(ImageEngine(model, choose(device, wanted)))
    if runtime == "auto":
        simple = choose(device, precision) == Compute("cpu", "float32")
        runtime = "onnx" if simple else "tensorflow"
    if runtime == "tensorflow":
        from stream.inference.keras_engine import KerasEngine

        return TiledEngine(KerasEngine(model, choose(device, precision)))
    if device == "gpu" or precision not in ("auto", "float32"):
        raise ModelError(
            f"{runtime} computes in float32 on the CPU: use --runtime tensorflow for others"
        )
    from stream.inference.runtime_engine import RuntimeEngine

    return TiledEngine(RuntimeEngine(model, runtime))
