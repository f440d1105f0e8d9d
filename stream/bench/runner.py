"""A model alone, called again and again; without the libraries that the ceiling is measured on."""

from stream.capture.synthetic import SyntheticSource
from stream.frame import Planes
from stream.inference.engine import Engine, State, geometry_of


class Runner:
    """An engine with a batch of pictures and their states: each call is one frame of each."""

    def __init__(self, engine: Engine, width: int, height: int, batch: int = 1) -> None:
        frame = next(SyntheticSource(width, height, 1).frames())
        self._engine = engine
        self._pictures: list[Planes] = [frame.planes] * batch
        self._states: list[State | None] = [None] * batch
        self._geometry = geometry_of(frame.planes, frame.color)

    def __call__(self) -> None:
        """Advance every stream by one frame; returns when its pixels are there."""
        results = self._engine.run(self._pictures, self._states, self._geometry)
        self._states = [result.state for result in results]
