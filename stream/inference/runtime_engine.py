"""Engines on other runtimes than TensorFlow: LiteRT, ONNX Runtime and OpenVINO, on the CPU.

A network is exported for each frame size that comes up and run by the runtime itself.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from models import registry
from models.errors import ModelsError
from models.export.formats import FORMATS, open_step, require_packages, write_step
from models.export.step import (
    HIDDEN,
    NEIGHBOURS,
    NEXT_HIDDEN,
    PLANES,
    RESIDUALS,
    Size,
    Step,
    Tensors,
    fresh_hidden,
    nominal_planes,
    plane_shapes,
    residual_codes,
)
from models.planes import Levels, pad_plane
from models.planes import pack as pack_planes
from models.planes import unpack as unpack_planes
from models.registry import Weights
from stream.errors import ModelError
from stream.frame import Planes
from stream.inference import yuv420
from stream.inference.device import Compute
from stream.inference.engine import (
    SIZES_KEPT,
    Geometry,
    Neighbours,
    Result,
    State,
    all_finite,
    neighbours_of,
)
from stream.inference.packing import grid, pack, unpack

Precision = Literal["float32", "bfloat16", "int8"]


class RuntimeEngine:
    """A network on a runtime, exported on first use for each frame size.

    Args:
        model: a name of `models.registry`, or a weights file.
        runtime: one of `models.export.formats.FORMATS`.
        precision: of those that it can be exported in; or bfloat16, on OpenVINO and a CPU with
            units for it.
        look_ahead: see `open_engine`.
    """

    def __init__(
        self,
        model: str,
        runtime: str,
        precision: Precision = "float32",
        *,
        look_ahead: bool = False,
    ) -> None:
        try:
            require_packages(runtime)
            if precision == "bfloat16":
                _require_bfloat16()
            weights = registry.load(model)
        except ModelsError as error:
            raise ModelError(str(error)) from error
        self._weights = weights if look_ahead else weights.causal()
        self.neighbours, self.aligned = self._weights.neighbours, self._weights.aligned
        self._runtime = runtime
        self.name = self._weights.name
        self.compute = Compute("cpu", precision, runtime)
        digest = hashlib.sha256(self._weights.path.read_bytes()).hexdigest()
        package = FORMATS[runtime].distribution
        self.identity = f"{digest} {precision} {package} {version(package)}"
        self._step = lru_cache(SIZES_KEPT)(partial(_exported, self._weights, runtime, precision))

    def run(
        self,
        pictures: Sequence[Planes],
        states: Sequence[State | None],
        geometry: Geometry,
        neighbours: Sequence[Neighbours] = (),
    ) -> list[Result]:
        """Advance several streams of one geometry by one frame each, one after the other."""
        beside = neighbours_of(neighbours, pictures, self.neighbours)
        return [
            self._advance(picture, those, state, geometry)
            for picture, those, state in zip(pictures, beside, states, strict=True)
        ]

    def _advance(
        self, picture: Planes, beside: Neighbours, state: Any | None, geometry: Geometry
    ) -> Result:
        size = (picture.height, picture.width)
        try:
            step = self._step(size)
        except ModelsError as error:
            raise ModelError(str(error)) from error
        if state is None:
            first = FORMATS[self._runtime].channels_first
            state = fresh_hidden(size, self._weights.config.hidden, channels_first=first)
        inputs = _inputs(picture, geometry) | {HIDDEN: state}
        for name, neighbour in zip(NEIGHBOURS, beside, strict=False):
            # a frame that differs from itself by nothing stands for one that is not there
            inputs |= _inputs(neighbour or picture, geometry, name)
        outputs = step(inputs)
        finite = all(all_finite(outputs[name]) for name in RESIDUALS)
        planes = _corrected(picture, outputs, geometry) if finite else picture
        return Result(planes, outputs[NEXT_HIDDEN], finite)


def _require_bfloat16() -> None:
    from models.export.openvino_ir import has_bfloat16

    if not has_bfloat16():
        raise ModelError("this CPU has no units for bfloat16: use --precision float32")


def _exported(weights: Weights, runtime: str, precision: Precision, size: Size) -> Step:
    """The step for frames of a size, as the runtime computes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"step{FORMATS[runtime].suffix}"
        write_step(weights, runtime, path, size, "int8" if precision == "int8" else "float32")
        if precision == "bfloat16":
            from models.export import openvino_ir

            return openvino_ir.open_step(path, bfloat16=True)
        return open_step(runtime, path)


def _levels(geometry: Geometry) -> Levels:
    return Levels(geometry.bit_depth, geometry.full_range)


def _inputs(picture: Planes, geometry: Geometry, neighbour: str | None = None) -> Tensors:
    """The step's planes: those of the picture where it is 4:2:0, otherwise of its view."""
    if geometry.is_420:
        return nominal_planes(picture.arrays, _levels(geometry), neighbour)
    values = pack([picture], geometry).astype(np.float32)
    y, u, v = unpack_planes(yuv420.features(values, geometry, np), np)
    shapes = plane_shapes((picture.height, picture.width))
    return {
        f"{neighbour}_{name}" if neighbour else name: np.ascontiguousarray(
            plane[:, :rows, :columns]
        )
        for name, plane, (rows, columns) in zip(PLANES, (y + 0.5, u, v), shapes, strict=True)
    }


def _corrected(picture: Planes, outputs: Tensors, geometry: Geometry) -> Planes:
    """The picture plus the step's residual; rounded, clipped and cast once."""
    if not geometry.is_420:
        rows, columns = (4 * side for side in grid(geometry))
        y, u, v = (outputs[name] for name in RESIDUALS)
        u, v = (pad_plane(plane, rows // 2, columns // 2, np) for plane in (u, v))
        residual = pack_planes(pad_plane(y, rows, columns, np), u, v, np)
        values = pack([picture], geometry).astype(np.float32)
        changed = yuv420.corrected(values, residual, geometry, np).astype(geometry.dtype)
        return unpack(changed, geometry)[0]
    levels = _levels(geometry)
    arrays = []
    for plane, change in zip(picture.arrays, residual_codes(outputs, levels), strict=True):
        change += plane
        np.clip(np.rint(change, out=change), 0, levels.peak, out=change)
        arrays.append(change.astype(geometry.dtype))
    return Planes(tuple(arrays), geometry.subsampling, geometry.bit_depth)
