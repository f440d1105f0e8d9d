"""What a network costs: its convolutions, laid out on shapes alone and counted."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from models.network import CAUSAL, MULTIPLE, NetworkConfig, connect
from models.planes import CHANNELS, PATCH, padded_length


def cost_gmac(
    config: NetworkConfig, height: int = 720, width: int = 1280, *, neighbours: int = CAUSAL
) -> float:
    """Multiply-accumulates of one frame, in units of 10^9, counted from its convolutions.

    What aligning the neighbours takes is not among them.
    """
    return sum(costs_gmac(config, height, width, neighbours=neighbours).values())


def costs_gmac(
    config: NetworkConfig, height: int, width: int, *, neighbours: int = CAUSAL
) -> dict[int, float]:
    """The same by the resolution of what is computed: 4 stands for a quarter of the frame's."""
    rows, columns = (padded_length(side, MULTIPLE) // PATCH for side in (height, width))
    frames = _Shape(rows, columns, (1 + neighbours) * CHANNELS)
    count = _Count()
    connect(config, count, frames, _Shape(rows // 2, columns // 2, config.hidden), neighbours)
    return {PATCH * rows // made: total / 1e9 for made, total in count.totals.items()}


class _Shape(NamedTuple):
    rows: int
    columns: int
    channels: int


class _Count:
    """Layers on shapes alone: adds up multiply-accumulates by the rows that they make."""

    def __init__(self) -> None:
        self.totals: Counter[int] = Counter()

    def convolution(
        self, x: _Shape, filters: int, name: str, *, side: int = 3, stride: int = 1
    ) -> _Shape:
        made = _Shape(-(-x.rows // stride), -(-x.columns // stride), filters)
        self.totals[made.rows] += made.rows * made.columns * filters * side**2 * x.channels
        return made

    def block(self, x: _Shape, name: str, context: _Shape | None = None) -> _Shape:
        joined = self.join([x, context]) if context else x
        first = self.convolution(joined, x.channels, f"{name}/first")
        return self.convolution(first, x.channels, f"{name}/second")

    def activation(self, x: _Shape) -> _Shape:
        return x

    tanh = activation

    def join(self, parts: Sequence[_Shape]) -> _Shape:
        return parts[0]._replace(channels=sum(part.channels for part in parts))

    def channels(self, x: _Shape, start: int, stop: int) -> _Shape:
        return x._replace(channels=stop - start)

    def upsample(self, x: _Shape) -> _Shape:
        return _Shape(2 * x.rows, 2 * x.columns, x.channels)

    def add(self, a: _Shape, b: _Shape | float) -> _Shape:
        return a

    multiply = add
