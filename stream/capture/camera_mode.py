"""What people can ask of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class CameraMode:
    """What to ask a camera for; it answers with what it can.

    Attributes:
        size: Width and height in pixels; None leaves it to the camera.
        rate: Pictures per second; None for 30.
    """

    size: tuple[int, int] | None = None
    rate: Fraction | None = None
