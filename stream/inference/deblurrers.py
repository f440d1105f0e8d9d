"""Several models on one thread, with a model and a strength for each stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream.errors import ModelError
from stream.frame import Frame
from stream.inference.device import Compute


@dataclass(frozen=True, slots=True)
class Choice:
    """How a stream is to be deblurred.

    Attributes:
        model: A name that the owner of the models knows.
        strength: See `stream.inference.deblurrer.Deblurrer`.
    """

    model: str
    strength: float = 1.0


class Model(Protocol):
    """One model; `stream.inference.deblurrer.Deblurrer` is one."""

    strength: float

    @property
    def compute(self) -> Compute:
        """Where it runs."""

    def identity_at(self, strength: float) -> str:
        """What the output depends on, besides the frames."""

    def process_batch(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Deblur the next frame of each of several streams."""

    def forget(self, stream_id: int) -> None:
        """Let go of what a stream has left behind."""

    def close(self) -> None:
        """Let go of everything."""


class Deblurrers:
    """A `stream.inference.shared.BatchProcessor` of several models, each loaded on first use.

    Args:
        load: Makes the model of a name, or raises ModelError.
        names: What may be chosen, lightest first.
        default: For streams that have chosen nothing; loaded now.
    """

    def __init__(self, load: Callable[[str], Model], names: Sequence[str], default: Choice) -> None:
        self.names = tuple(names)
        self.default = default
        self._load = load
        self._loaded: dict[str, Model] = {}
        self._loading = threading.Lock()
        self._choices: dict[int, Choice] = {}
        self._in_use: dict[int, Model] = {}  # what each stream's last frame went through
        self.compute = self.model(default.model).compute

    def model(self, name: str) -> Model:
        """The model of a name; from any thread, and seconds later where it is to be loaded.

        Raises:
            ModelError: It may not be chosen, or cannot be loaded.
        """
        if name not in self.names:
            raise ModelError(f"there is no model {name!r}: choose one of {', '.join(self.names)}")
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def identity(self, choice: Choice) -> str:
        """Equal for choices that give equal pixels."""
        return self.model(choice.model).identity_at(choice.strength)

    def choose(self, stream_id: int, choice: Choice) -> None:
        """Deblur a stream so from its next frame on; from any thread, see `model`."""
        self.model(choice.model)
        self._choices[stream_id] = choice

    def process_batch(self, frames: Sequence[Frame]) -> list[Frame]:
        """Deblur the next frame of each of several streams, by what they have chosen."""
        groups: dict[Choice, list[Frame]] = {}
        for frame in frames:
            choice = self._choices.get(frame.stream_id, self.default)
            groups.setdefault(choice, []).append(frame)
        done: dict[int, Frame] = {}
        for choice, group in groups.items():
            model = self.model(choice.model)
            for frame in group:
                self._use(model, frame.stream_id)
            model.strength = choice.strength
            for result in model.process_batch(group):
                done[result.stream_id] = result
        return [done[frame.stream_id] for frame in frames]

    def forget(self, stream_id: int) -> None:
        """Let go of a stream that has ended."""
        self._choices.pop(stream_id, None)
        if model := self._in_use.pop(stream_id, None):
            model.forget(stream_id)

    def close(self) -> None:
        """Forget every stream."""
        for model in self._loaded.values():
            model.close()

    def _use(self, model: Model, stream_id: int) -> None:
        """The state that another model has of a stream is of no use to anybody."""
        before = self._in_use.get(stream_id)
        if before is not None and before is not model:
            before.forget(stream_id)
        self._in_use[stream_id] = model
