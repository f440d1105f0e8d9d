"""Whether an engine computes what its network is, before anybody's pictures go through it.

Libraries rewrite networks as they compile them, each for the processor at hand, and have made
mistakes (docs/lab/upstream.md). So two drawn frames with neighbours go through the engine and
through the network in NumPy. What has passed is noted on disk: until a library, the weights or the
processor changes, opening the engine again costs nothing.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models import registry
from models.errors import ModelsError
from models.network import frame_features, fresh_hidden, residual_planes
from models.planes import Levels, chroma_shape
from models.reference import Reference, require_agreement
from models.registry import Weights
from stream.errors import ModelError
from stream.frame import ColorTags, Planes
from stream.inference.engine import Engine, Geometry, Neighbours
from stream.inference.machine import record_of

_SIZE = (34, 44)  # height and width: both are padded
_FRAMES = 2  # the second shows the state
_LEVELS = Levels(bit_depth=16)  # so that rounding hides nothing
_ROUNDING = 0.5  # code values: root mean square of what two roundings make is 0.41


def checked(engine: Engine, model: str, *, variant: str = "") -> Engine:
    """The engine of a model; ModelError if it computes something else than the network.

    Args:
        engine: of one of this project's networks, whole frames.
        model: a name of `models.registry`, or a weights file.
        variant: what its identity does not say of how it computes.
    """
    record = _record(engine, variant)
    if record is None or not record.exists():
        _check(engine, model)
        if record:
            with contextlib.suppress(OSError):  # then it is checked again
                record.parent.mkdir(parents=True, exist_ok=True)
                record.touch()
    return engine


def _check(engine: Engine, model: str) -> None:
    compute = engine.compute
    rng = np.random.default_rng(0)
    pictures, *others = (_drawn(rng) for _ in range(1 + engine.neighbours))
    beside = list(zip(*others, strict=True))
    geometry = Geometry.of(pictures[0], ColorTags())
    state, found, finite = None, [], True
    for picture, neighbours in zip(pictures, beside, strict=True):
        (result,) = engine.run([picture], [state], geometry, [neighbours])
        state = result.state if result.finite else None
        finite = finite and result.finite
        found.append(_change(picture, result.planes.arrays))
    try:
        expected = _expected(registry.load(model), pictures, beside)
        if not np.isfinite(expected).all() and not finite:
            return  # weights that are none: the frames pass as they are
        on_tensor_cores = (compute.device, compute.precision) == ("gpu", "float32")
        require_agreement(
            np.stack(found),
            expected,
            "tensorfloat32" if on_tensor_cores else compute.precision,
            f"{compute.runtime} on this {compute.device.upper()}",
            remedy="use another --runtime, and report it",
            rounding=_ROUNDING,
        )
    except ModelsError as error:
        raise ModelError(str(error)) from error


def _drawn(rng: np.random.Generator) -> list[Planes]:
    """Frames of noise whose codes leave room for any correction."""
    shapes = (_SIZE, chroma_shape(*_SIZE), chroma_shape(*_SIZE))
    low, high = _LEVELS.peak // 4, 3 * _LEVELS.peak // 4
    return [
        Planes(tuple(rng.integers(low, high, s).astype(np.uint16) for s in shapes), (1, 1), 16)
        for _ in range(_FRAMES)
    ]


def _expected(
    weights: Weights, pictures: Sequence[Planes], beside: Sequence[Neighbours]
) -> np.ndarray:
    """What the network changes in each frame, in code values."""
    count = len(beside[0])
    arrays = weights.arrays if count == weights.neighbours else weights.causal().arrays
    network = Reference(weights.config, arrays, count)
    hidden = fresh_hidden(weights.config, 1, *_SIZE)
    changes = []
    for picture, neighbours in zip(pictures, beside, strict=True):
        current, *others = (_features(each) for each in (picture, *neighbours) if each)
        joined = [current, *(other - current for other in others)]
        residual, hidden = network(np.concatenate(joined, axis=-1), hidden)
        residuals = (plane[0] for plane in residual_planes(residual, *_SIZE, _LEVELS))
        pairs = zip(picture.arrays, residuals, strict=True)
        changes.append(
            _change(picture, [np.clip(np.rint(a + b), 0, _LEVELS.peak) for a, b in pairs])
        )
    return np.stack(changes)


def _features(picture: Planes) -> np.ndarray:
    y, u, v = (plane[None] for plane in picture.arrays)
    return frame_features(y, u, v, _LEVELS)


def _change(picture: Planes, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Differences of all samples of all planes."""
    pairs = zip(arrays, picture.arrays, strict=True)
    return np.concatenate([(a.astype(np.float64) - b).ravel() for a, b in pairs])


def _record(engine: Engine, variant: str) -> Path | None:
    """The file that stands for this engine on this machine; None where there is no place for it."""
    kind = f"{engine.neighbours} neighbours {variant}"
    return record_of("checked", engine.identity, repr(engine.compute), kind)
