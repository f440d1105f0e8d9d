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

from models.network import fresh_hidden
from models.packing import Geometry, corrected, frame_features, pack, unpack
from models.planes import Levels
from models.reference import Reference, require_agreement
from models.registry import Weights
from stream.frame import Planes
from stream.inference.engine import Engine, Neighbours
from stream.inference.machine import record_of

_SIZE = (34, 44)  # height and width: both are padded
_FRAMES = 2  # the second shows the state
_GEOMETRY = Geometry.yuv420(*_SIZE, Levels(bit_depth=16))  # so that rounding hides nothing
_ROUNDING = 0.5  # code values: root mean square of what two roundings make is 0.41


def checked(engine: Engine, weights: Weights, *, variant: str = "") -> Engine:
    """Return the engine of these weights; MismatchError if it computes something else than them.

    Args:
        engine: of one of this project's networks, whole frames.
        weights: that the engine was made of.
        variant: what its identity does not say of how it computes.
    """
    record = _record(engine, variant)
    if record is None or not record.exists():
        _check(engine, weights)
        if record:
            with contextlib.suppress(OSError):  # then it is checked again
                record.parent.mkdir(parents=True, exist_ok=True)
                record.touch()
    return engine


def _check(engine: Engine, weights: Weights) -> None:
    compute = engine.compute
    rng = np.random.default_rng(0)
    pictures, *others = (_drawn(rng) for _ in range(1 + engine.neighbours))
    beside = list(zip(*others, strict=True))
    state, found, finite = None, [], True
    for picture, neighbours in zip(pictures, beside, strict=True):
        (result,) = engine.run([picture], [state], _GEOMETRY, [neighbours])
        state = result.state if result.finite else None
        finite = finite and result.finite
        found.append(_change(picture, result.planes.arrays))
    expected = _expected(weights, pictures, beside)
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


def _drawn(rng: np.random.Generator) -> list[Planes]:
    """Frames of noise whose codes leave room for any correction."""
    low, high = (share * _GEOMETRY.levels.peak // 4 for share in (1, 3))
    return [
        Planes(
            tuple(rng.integers(low, high, s).astype(np.uint16) for s in _GEOMETRY.shapes),
            _GEOMETRY.subsampling,
            _GEOMETRY.bit_depth,
        )
        for _ in range(_FRAMES)
    ]


def _expected(
    weights: Weights, pictures: Sequence[Planes], beside: Sequence[Neighbours]
) -> np.ndarray:
    """What the network changes in each frame, in code values."""
    network = Reference(weights.config, weights.arrays, weights.neighbours)
    hidden = fresh_hidden(weights.config, 1, *_SIZE)
    changes = []
    for picture, neighbours in zip(pictures, beside, strict=True):
        shown = [each.arrays for each in (picture, *neighbours) if each]
        current, *others = (frame_features(each, _GEOMETRY) for each in shown)
        joined = [current, *(other - current for other in others)]
        residual, hidden = network(np.concatenate(joined, axis=-1), hidden)
        values = pack([picture.arrays], _GEOMETRY).astype(np.float32)
        made = corrected(values, residual.astype(np.float32), _GEOMETRY, np)
        changes.append(_change(picture, unpack(made, _GEOMETRY)[0]))
    return np.stack(changes)


def _change(picture: Planes, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Differences of all samples of all planes."""
    pairs = zip(arrays, picture.arrays, strict=True)
    return np.concatenate([(a.astype(np.float64) - b).ravel() for a, b in pairs])


def _record(engine: Engine, variant: str) -> Path | None:
    """The file that stands for this engine on this machine; None where there is no place for it."""
    kind = f"{engine.neighbours} neighbours {variant}"
    return record_of("checked", engine.identity, repr(engine.compute), kind)
