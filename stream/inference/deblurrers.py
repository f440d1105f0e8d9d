"""Several models on one thread, with a model and a strength for each stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stream.errors import ModelError
from stream.frame import Frame, StreamInfo
from stream.inference.device import Compute

AUTO = "auto"
"""The name that leaves the model of a recorded video to `Automatic`."""

MAX_STRENGTH = 1.5
"""Above this the correction overshoots: edges ring and noise shows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a stream is to be deblurred.

    Attributes:
        model: A name that the owner of the models knows.
        strength: See `stream.inference.deblurrer.Deblurrer`.
    """

    model: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Automatic:
    """How a model is found for a recorded video whose owner leaves that open.

    Attributes:
        choose: The name of the model for a video, given the seconds that a million pixels take by
            the model of a name.
        speed: Measures these seconds of a model.
    """

    choose: Callable[[StreamInfo, Callable[[str], float]], str]
    speed: Callable[[Any], float]


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

    def process(self, frame: Frame) -> Sequence[Frame]:
        """Deblur the next frame of a stream, or the one before it where the model looks ahead."""

    def flush(self) -> Sequence[Frame]:
        """Deblur what waits for a next frame."""

    def forget(self, stream_id: int) -> None:
        """Let go of what a stream has left behind."""

    def close(self) -> None:
        """Let go of everything."""


class Deblurrers:
    """A `stream.inference.shared.BatchProcessor` of several models, each loaded on first use.

    Live streams and recorded ones have models of their own: those of recorded streams look ahead.

    Args:
        load: Makes the model of a name, one that looks ahead where the second argument is true, or
            raises ModelError.
        names: What may be chosen, lightest first.
        default: For streams that have chosen nothing; loaded now.
        automatic: Lets recorded videos be cleaned by `AUTO` too.
    """

    def __init__(
        self,
        load: Callable[[str, bool], Model],
        names: Sequence[str],
        default: Choice,
        automatic: Automatic | None = None,
    ) -> None:
        self.names = tuple(names)
        self.recorded_names = (AUTO, *self.names) if automatic else self.names
        self._automatic = automatic
        self.default = default
        self._load = load
        self._loaded: dict[tuple[str, bool], Model] = {}
        self._loading = threading.Lock()
        self._choices: dict[int, Choice] = {}
        self._in_use: dict[int, Model] = {}  # what each stream's last frame went through
        self.compute = self.model(default.model).compute

    def model(self, name: str, *, look_ahead: bool = False) -> Model:
        """The model of a name; from any thread, and seconds later where it is to be loaded.

        Raises:
            ModelError: It may not be chosen, or cannot be loaded.
        """
        if name not in self.names:
            raise ModelError(f"there is no model {name!r}: choose one of {', '.join(self.names)}")
        key = (name, look_ahead)
        if key in self._loaded:  # without waiting for another that is being loaded
            return self._loaded[key]
        with self._loading:
            if key not in self._loaded:
                self._loaded[key] = self._load(*key)
            return self._loaded[key]

    def choose_for(self, info: StreamInfo, speed: Callable[[str], float]) -> str:
        """The name that `AUTO` means for a recorded video; see `Automatic`."""
        if self._automatic is None:
            raise ModelError("name a model")
        return self._automatic.choose(info, speed)

    def speed(self, name: str) -> float:
        """The seconds that a million pixels of a recorded video take; on the inference thread."""
        if self._automatic is None:
            raise ModelError("name a model")
        return self._automatic.speed(self.model(name, look_ahead=True))

    def identity(self, choice: Choice) -> str:
        """Equal for choices that give a recorded stream equal pixels."""
        return self.model(choice.model, look_ahead=True).identity_at(choice.strength)

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

    def process(self, frame: Frame, choice: Choice) -> Sequence[Frame]:
        """Take the next frame of a recorded stream, give those that are ready: earlier ones."""
        model = self.model(choice.model, look_ahead=True)
        self._use(model, frame.stream_id)
        model.strength = choice.strength
        return model.process(frame)

    def flush(self, choice: Choice) -> Sequence[Frame]:
        """Give the rest of the recorded stream that has been processed by ``choice``."""
        model = self.model(choice.model, look_ahead=True)
        model.strength = choice.strength
        return model.flush()

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
