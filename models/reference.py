"""The network in float64 NumPy: what every backend, runtime and compiled step is held against.

Written for exactness alone, in no library that could rewrite it; too slow for pictures of more than
some thousand pixels.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.errors import MismatchError, WeightsError
from models.network import LOOK_AHEAD, NEGATIVE_SLOPE, NetworkConfig, connect

TOLERANCES = {
    "float32": 1e-3,
    "tensorfloat32": 2e-2,
    "float16": 2e-2,
    "bfloat16": 1e-1,
    "int8": 6e-1,
}
"""Root mean square error that a precision may cause, as a share of what it is an error of.

Some twenty layers round 24, 11 or 8 bits: the shipped and random networks come to 1e-5, 1e-3 and
2e-2. int8 is right on average only. One activation with the wrong slope makes 5e-2 and more, so
that is beyond doubt in float32 alone; what is found in the others is grosser.
"""


Exact: TypeAlias = NDArray[np.float64]


class Reference:
    """A network with these weights and neighbours; `arrays` as in `models.registry.Weights`."""

    def __init__(
        self,
        config: NetworkConfig,
        arrays: Mapping[str, np.ndarray],
        neighbours: int = LOOK_AHEAD,
    ) -> None:
        self.config = config
        self.neighbours = neighbours
        self._layers = _NumpyLayers(arrays)

    def __call__(self, frames: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residual and next hidden state in float64, of the inputs that `keras_network.build` has.

        WeightsError if the weights are of another architecture.
        """
        seen, state = (np.asarray(a, np.float64) for a in (frames, hidden))
        residual, following = connect(self.config, self._layers, seen, state, self.neighbours)
        return residual, following


class _NumpyLayers:
    """See `models.network.Layers`; the channels come last."""

    def __init__(self, arrays: Mapping[str, Exact]) -> None:
        self._arrays = arrays

    def convolution(
        self, x: Exact, filters: int, name: str, *, side: int = 3, stride: int = 1
    ) -> Exact:
        kernel, bias = (self._array(f"{name}/{part}") for part in ("kernel", "bias"))
        if kernel.shape != (side, side, x.shape[-1], filters):
            raise WeightsError(f"{name} has a kernel of {kernel.shape}: of another architecture")
        before, after = (side - stride) // 2, (side - 1) // 2  # as Keras pads, for even sizes
        padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
        rows, columns = (-(-n // stride) for n in x.shape[1:3])
        return bias + sum(
            padded[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            @ kernel[i, j]
            for i, j in np.ndindex(side, side)
        )

    def block(self, x: Exact, name: str, context: Exact | None = None) -> Exact:
        joined = x if context is None else self.join([x, context])
        count = x.shape[-1]
        hidden = self.convolution(self.activation(joined), count, f"{name}/first")
        return x + self.convolution(self.activation(hidden), count, f"{name}/second")

    def activation(self, x: Exact) -> Exact:
        bent: Exact = np.where(x < 0, NEGATIVE_SLOPE * x, x)
        return bent

    def join(self, parts: Sequence[Exact]) -> Exact:
        return np.concatenate(parts, axis=-1)

    def channels(self, x: Exact, start: int, stop: int) -> Exact:
        return x[..., start:stop]

    def upsample(self, x: Exact) -> Exact:
        return x.repeat(2, axis=1).repeat(2, axis=2)

    def add(self, a: Exact, b: Exact) -> Exact:
        return a + b

    def multiply(self, a: Exact, b: Exact | float) -> Exact:
        return a * b

    def tanh(self, x: Exact) -> Exact:
        return np.tanh(x)

    def _array(self, name: str) -> Exact:
        try:
            return np.asarray(self._arrays[name], np.float64)
        except KeyError as error:
            raise WeightsError(f"there is no {name}: of another architecture") from error


def require_agreement(
    found: np.ndarray,
    expected: np.ndarray,
    precision: str,
    what: str,
    *,
    remedy: str,
    rounding: float = 0.0,
) -> None:
    """Raise MismatchError unless `found` is `expected` to within what the precision may cause.

    Args:
        found: what was computed.
        expected: what the reference says; where it is no number, `found` may be none either.
        precision: a key of `TOLERANCES`.
        what: has computed, for the message.
        remedy: what to do, for the message.
        rounding: root mean square error that both may have beside.
    """
    numbers = np.isfinite(expected)
    size, error = _rms(expected[numbers]), _rms((found - expected)[numbers])
    tolerance = TOLERANCES[precision]
    if not error <= tolerance * size + rounding:  # NaN is no agreement
        raise MismatchError(
            f"{what} does not compute what the network says: off by {error / (size or 1):.2g} of "
            f"it, where {precision} may be by {tolerance:g}: {remedy}"
        )


def _rms(values: np.ndarray) -> float:
    """Root mean square; 0 of none."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64)))) if values.size else 0.0
