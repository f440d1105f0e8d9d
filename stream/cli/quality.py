"""`--quality`: which model that means for a video on this machine, and how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from stream.frame import StreamInfo
from stream.inference.deblurrers import AUTO

_BALANCED = ("small", "tiny")
QUALITIES = {AUTO: _BALANCED, "fast": ("tiny",), "balanced": _BALANCED, "best": ("base",)}
"""The models that each may mean, the preferred one first."""

PATIENCE = 15
"""A better model may take so many times as long as the video lasts."""

_USUAL_RATE = Fraction(30)  # frames per second, where a video does not say


@dataclass(frozen=True, slots=True)
class Estimate:
    """A model for a video, and how long it takes.

    Attributes:
        model: Its name.
        time_s: About how long the video takes, by the model alone; None where nobody knows how
            long the video is.
        minute_s: The same for a minute of such video.
    """

    model: str
    time_s: float | None
    minute_s: float

    def words(self, info: StreamInfo) -> str:
        """What to tell people of it."""
        size = f"{info.width}x{info.height} at {float(info.frame_rate or _USUAL_RATE):.3g}"
        minute = f"a minute of {size} takes about {_about(self.minute_s)} here"
        whole = "" if self.time_s is None else f", this video about {_about(self.time_s)}"
        return f"by {self.model}: {minute}{whole}"


def live_model(quality: str) -> str | None:
    """The model that a quality names for live video, whatever it costs; None for `AUTO`."""
    return None if quality == AUTO else QUALITIES[quality][0]


def recorded_model(quality: str) -> str:
    """The model that a quality names for recorded videos, or `AUTO` where that depends on them."""
    return AUTO if len(QUALITIES[quality]) > 1 else QUALITIES[quality][0]


def choose(quality: str, info: StreamInfo, speed: Callable[[str], float]) -> Estimate:
    """The model that a quality means for a video.

    Args:
        quality: Of `QUALITIES`.
        info: Of the video.
        speed: What a million pixels cost by a model of that name, in seconds.
    """
    rate = float(info.frame_rate or _USUAL_RATE)
    megapixels = info.width * info.height / 1e6
    for model in QUALITIES[quality]:
        frame_s = speed(model) * megapixels
        choice = Estimate(
            model,
            None if info.frames_estimate is None else frame_s * info.frames_estimate,
            60 * rate * frame_s,
        )
        if rate * frame_s <= PATIENCE:
            break
    return choice


def _about(seconds: float) -> str:
    """Seconds, minutes or hours, two digits at most."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1.0, seconds):.0f} seconds"
