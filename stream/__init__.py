"""Motion blur out of a video stream: capture -> inference -> output. Never trains.

The names below are the library; `docs/examples` shows them at work. They are loaded when they are
first used, so that ``import stream`` itself is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.capture.address import SourceOptions, open_source
    from stream.capture.file import FileSource
    from stream.errors import (
        AddressError,
        DeblurError,
        DecodeError,
        JobError,
        ModelError,
        OpenError,
        SinkError,
        SourceError,
        UsageError,
    )
    from stream.frame import ColorTags, Discontinuity, Frame, Planes, StreamInfo
    from stream.inference.deblurrer import Deblurrer
    from stream.inference.overload import OverloadControl, levels_of
    from stream.jobs import CleanOptions, CleanResult, Excerpt, View, clean_file
    from stream.live import deblurred
    from stream.output.encoder import EncoderOptions
    from stream.output.live_video import LiveVideo
    from stream.output.target import target_of
    from stream.output.tee import Tee
    from stream.pipeline import Pipeline
    from stream.rgb import from_rgb, to_rgb
    from stream.stages import Processor, Sink, Source
    from stream.stats import RunStats

_HOMES = {
    "AddressError": "stream.errors",
    "CleanOptions": "stream.jobs",
    "CleanResult": "stream.jobs",
    "ColorTags": "stream.frame",
    "DeblurError": "stream.errors",
    "Deblurrer": "stream.inference.deblurrer",
    "DecodeError": "stream.errors",
    "Discontinuity": "stream.frame",
    "EncoderOptions": "stream.output.encoder",
    "Excerpt": "stream.jobs",
    "FileSource": "stream.capture.file",
    "Frame": "stream.frame",
    "JobError": "stream.errors",
    "LiveVideo": "stream.output.live_video",
    "ModelError": "stream.errors",
    "OpenError": "stream.errors",
    "OverloadControl": "stream.inference.overload",
    "Pipeline": "stream.pipeline",
    "Planes": "stream.frame",
    "Processor": "stream.stages",
    "RunStats": "stream.stats",
    "Sink": "stream.stages",
    "SinkError": "stream.errors",
    "Source": "stream.stages",
    "SourceError": "stream.errors",
    "SourceOptions": "stream.capture.address",
    "StreamInfo": "stream.frame",
    "Tee": "stream.output.tee",
    "UsageError": "stream.errors",
    "View": "stream.jobs",
    "clean_file": "stream.jobs",
    "deblurred": "stream.live",
    "from_rgb": "stream.rgb",
    "levels_of": "stream.inference.overload",
    "open_source": "stream.capture.address",
    "target_of": "stream.output.target",
    "to_rgb": "stream.rgb",
}

__all__ = [
    "AddressError",
    "CleanOptions",
    "CleanResult",
    "ColorTags",
    "DeblurError",
    "Deblurrer",
    "DecodeError",
    "Discontinuity",
    "EncoderOptions",
    "Excerpt",
    "FileSource",
    "Frame",
    "JobError",
    "LiveVideo",
    "ModelError",
    "OpenError",
    "OverloadControl",
    "Pipeline",
    "Planes",
    "Processor",
    "RunStats",
    "Sink",
    "SinkError",
    "Source",
    "SourceError",
    "SourceOptions",
    "StreamInfo",
    "Tee",
    "UsageError",
    "View",
    "clean_file",
    "deblurred",
    "from_rgb",
    "levels_of",
    "open_source",
    "target_of",
    "to_rgb",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("deblurstream")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
