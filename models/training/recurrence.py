"""The network over a clip: what each frame's neighbours are, inside a training step.

`models.alignment` does the same to planes on the host; `moved` here is its `moved` on features, in
`keras.ops`, so that a step can move what the network has just made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from models import planes as yuv
from models.packing import pack_420, unpack_420

ABSENT, ALIGNED, UNRELATED = 0, 1, -1
"""What a frame's reference is: the frame itself, the blend before it moved here, or that of another
clip, as after a cut that nobody noticed."""


class ClipInputs(NamedTuple):
    """What a batch of clips is made of, besides its sharp frames.

    Attributes:
        frames: (N, T, h, w, 24) uint8 limited-range codes of the blurry frames.
        following: (N, T, h, w, 24) of the next frame of each, moved to where the frame shows it;
            the frame itself where there is none.
        flow: (N, T, h, w, 2) float32 from each frame to the one before, in luma samples.
        kinds: (N, T) of `ABSENT`, `ALIGNED` or `UNRELATED`.
    """

    frames: Any
    following: Any
    flow: Any
    kinds: Any


def nominal(codes: Any) -> Any:
    """uint8 limited-range codes (..., 24) to centred nominal features."""
    offset, scale = yuv.channel_levels(yuv.Levels())
    return (ops.cast(codes, "float32") - offset) / scale


def one_frame(
    network: Callable[[list[Any]], Any], inputs: ClipInputs, blend: Any, hidden: Any
) -> tuple[Any, Any, Any]:
    """Restore one frame of each clip; the items of `inputs` have no axis of time.

    Returns the restored features, and the blend and hidden state for the next frame. No gradient
    passes through a blend: it is an input like the frame.
    """
    current = nominal(inputs.frames)
    kinds = ops.reshape(inputs.kinds, (-1, 1, 1, 1))
    reference = ops.where(kinds == UNRELATED, ops.roll(blend, 1, axis=0), blend)
    reference = ops.where(kinds == ABSENT, current, moved(reference, inputs.flow))
    changes = [reference - current, nominal(inputs.following) - current]
    residual, hidden = network([ops.concatenate([current, *changes], axis=-1), hidden])
    restored = current + ops.cast(residual, current.dtype)
    return restored, ops.stop_gradient(0.5 * (current + restored)), hidden


def moved(features: Any, flow: Any) -> Any:
    """Features (N, h, w, 24) of a neighbour as the frame would show them; flow (N, h, w, 2)."""
    y, u, v = unpack_420(features, ops)
    rows, columns = y.shape[1:]
    full = ops.image.resize(flow, (rows, columns), interpolation="bilinear")
    half = ops.image.resize(flow, (rows // 2, columns // 2), interpolation="bilinear") / 2
    (y,) = _sampled([y], full)
    u, v = _sampled([u, v], half)
    return pack_420(y, u, v, ops)


def _sampled(planes: list[Any], flow: Any) -> list[Any]:
    """Planes (N, H, W) at x + flow, linear between samples, the border repeated."""
    rows, columns = planes[0].shape[1:]
    across = ops.clip(flow[..., 0] + ops.arange(columns, dtype="float32"), 0, columns - 1)
    down = ops.clip(flow[..., 1] + ops.arange(rows, dtype="float32")[:, None], 0, rows - 1)
    left = ops.minimum(ops.floor(across), columns - 2)
    top = ops.minimum(ops.floor(down), rows - 2)
    right_share, low_share = across - left, down - top
    corner = ops.reshape(ops.cast(top * columns + left, "int32"), (-1, rows * columns))
    results = []
    for plane in planes:
        flat = ops.reshape(plane, (-1, rows * columns))

        def at(offset: int, flat: Any = flat) -> Any:
            found = ops.take_along_axis(flat, corner + offset, axis=1)
            return ops.reshape(found, (-1, rows, columns))

        upper = at(0) + right_share * (at(1) - at(0))
        lower = at(columns) + right_share * (at(columns + 1) - at(columns))
        results.append(upper + low_share * (lower - upper))
    return results
