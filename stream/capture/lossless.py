"""Whether a video has lost nothing when it was encoded, by what its own headers say."""

from __future__ import annotations

import contextlib
import itertools
import re
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from stream.capture.container import open_container, packets_of
from stream.capture.film import picture_stream
from stream.pyav import talkative

_PACKETS = 8  # that are looked into
# What headers say that change nothing: syntax elements of the standards, and their value. Of VP9
# and AV1 a frame's quantiser, which only lossless frames have at 0.
_SIGNS = {
    "h264": ("qpprime_y_zero_transform_bypass_flag", 1),
    "hevc": ("transquant_bypass_enabled_flag", 1),
    "vp9": ("base_q_idx", 0),
    "av1": ("base_q_idx", 0),
}
_ELEMENT = re.compile(r"\d+\s+(\w+)\s+\S+ = (-?\d+)\s*")


def is_lossless(path: Path) -> bool:
    """Return whether the cleaned video of a file is encoded without loss.

    Raises:
        OpenError: See `open_container`.
    """
    with open_container(path) as container:
        stream = picture_stream(container, path)
        codec = stream.codec_context.codec
        if codec.canonical_name not in _SIGNS:
            return codec.lossless and not codec.lossy
        packets = packets_of(container, [stream], lambda: None)
        element, value = _SIGNS[codec.canonical_name]
        found = _values(stream, list(itertools.islice(packets, _PACKETS)), element)
    return bool(found) and set(found) == {value}


def _values(stream: VideoStream, packets: list[Packet[Stream]], element: str) -> list[int]:
    """Values of a syntax element, as FFmpeg's own parser of headers logs them."""
    with talkative(), av.logging.Capture() as lines, contextlib.suppress(av.FFmpegError):  # damaged
        parser = BitStreamFilterContext("trace_headers", stream)
        for packet in packets:
            parser.filter(packet)
    matches = (_ELEMENT.fullmatch(text) for _, _, text in lines)
    return [int(match[2]) for match in matches if match and match[1] == element]
