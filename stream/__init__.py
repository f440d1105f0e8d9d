"""Motion blur out of a video stream: capture -> inference -> output. Never trains.

The names below are the library; `docs/examples` shows each at work. They are loaded when they are
first used, so that ``import stream`` itself is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.capture.address import open_source
    from stream.frame import ColorTags, Discontinuity, Frame, Planes, StreamInfo
    from stream.inference.deblurrer import Deblurrer
    from stream.live import deblurred
    from stream.rgb import from_rgb, to_rgb

_HOMES = {
    "ColorTags": "stream.frame",
    "Deblurrer": "stream.inference.deblurrer",
    "Discontinuity": "stream.frame",
    "Frame": "stream.frame",
    "Planes": "stream.frame",
    "StreamInfo": "stream.frame",
    "deblurred": "stream.live",
    "from_rgb": "stream.rgb",
    "open_source": "stream.capture.address",
    "to_rgb": "stream.rgb",
}

__all__ = [
    "ColorTags",
    "Deblurrer",
    "Discontinuity",
    "Frame",
    "Planes",
    "StreamInfo",
    "deblurred",
    "from_rgb",
    "open_source",
    "to_rgb",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
