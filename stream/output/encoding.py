"""One encoding: how its encoder is opened, and what a trial in memory tells of it.

Which one is right for a stream is not decided here, see `stream.output.encoder`.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec import Codec
from av.codec.context import Flags
from av.codec.hwaccel import HWAccel
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from stream.containers import of_muxer
from stream.errors import SinkError
from stream.frame import ColorTags, StreamInfo
from stream.output.codecs import THREADS, is_hardware, same_bytes, within_memory
from stream.output.muxer import hides, open_muxer
from stream.output.priority import start_encoding
from stream.pixel_format import color_tags, has_alpha, is_rgb, tag
from stream.pyav import open_input


@dataclass(frozen=True, slots=True)
class Encoding:
    """One encoder of FFmpeg's and what it is given.

    Attributes:
        encoder: FFmpeg's name.
        pixel_format: What pictures are turned into.
        flags: Its settings.
        device: FFmpeg's name of what it runs on, or "".
        limited: Whether samples of full range become limited, since what it writes can't tell.
    """

    encoder: str
    pixel_format: str
    flags: dict[str, str]
    device: str = ""
    limited: bool = False


def add_video_stream(
    container: OutputContainer, info: StreamInfo, encoding: Encoding
) -> VideoStream:
    """Add an encoder that keeps the source's time base, tags and display matrix."""
    device = HWAccel(encoding.device) if encoding.device else None
    flags = joined(same_bytes(encoding.encoder), encoding.flags)
    flags = joined(flags, within_memory(encoding.encoder, info.width))
    stream = container.add_stream(encoding.encoder, rate=_rate(info), options=flags, hwaccel=device)
    if not isinstance(stream, VideoStream):
        raise SinkError(f"{encoding.encoder} encodes no video; choose another --codec")
    context = stream.codec_context
    context.width, context.height = info.width, info.height
    context.pix_fmt = encoding.pixel_format
    context.time_base = info.time_base
    stream.time_base = info.time_base
    # What x264 and others write depends on their threads; left alone, on the number of cores. 8
    # frame threads against 16 slices: 3 % fewer bytes, 0.13 dB less, the same time.
    context.thread_count, context.thread_type = THREADS, "FRAME"
    color = written_color(info, encoding)
    context.color_range = color.range
    context.color_primaries = color.primaries
    context.color_trc = color.transfer
    context.colorspace = color.matrix
    if info.sample_aspect_ratio is not None:
        context.sample_aspect_ratio = info.sample_aspect_ratio
    if encoding.encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; the library has no other switch
    # without it the last picture's duration, and so the length of the video, is guessed
    context.flags |= Flags.frame_duration
    stream.set_display_matrix(info.display_matrix)
    return stream


def written_color(info: StreamInfo, encoding: Encoding) -> ColorTags:
    """How a stream's planes are to be read when they are written like that."""
    pixel_format = encoding.pixel_format
    if encoding.limited:
        return info.color.limited()
    if is_rgb(pixel_format) and not info.color.rgb:
        return ColorTags(ColorRange.JPEG, info.color.primaries, info.color.transfer, 0)
    if is_rgb(info.pixel_format) and not is_rgb(pixel_format):
        return ColorTags(ColorRange.MPEG, info.color.primaries, info.color.transfer, 1)
    return info.color


def refusal(info: StreamInfo, encoding: Encoding, format_name: str) -> str | None:
    """Why this encoder cannot write this stream into this container, or None where it can."""
    try:
        codec = Codec(encoding.encoder, "w")
    except ValueError:
        return "is not an encoder of this FFmpeg"
    formats = [layout.name for layout in codec.video_formats or ()]
    if not encoding.device and encoding.pixel_format not in formats:
        return f"does not take {encoding.pixel_format}"
    transparent = has_alpha(encoding.pixel_format)
    beside = of_muxer(format_name).alpha_beside
    if transparent and encoding.encoder.startswith("libvpx") and not beside:
        return f"keeps no transparency in {format_name}"
    file = io.BytesIO()
    container = open_muxer(file, of_muxer(format_name), info)
    try:
        stream = add_video_stream(container, info, encoding)
        known = {option.name for option in stream.codec_context.supported_options.private}
        for flag in ("crf", "preset"):
            if flag in encoding.flags and flag not in known:
                return f"has no {flag}"
        start_encoding(container)
        if hides(container, stream, file):
            return f"cannot be shown from {format_name}"
    except (av.FFmpegError, ValueError, OverflowError, RuntimeError):
        what = "finds no device that takes" if is_hardware(encoding.encoder) else "refuses"
        return f"{what} this size, time base or {format_name}"
    finally:
        with contextlib.suppress(av.FFmpegError, OSError):
            container.close()
    return None


def loses_range(info: StreamInfo, encoding: Encoding, format_name: str) -> bool:
    """Whether players would take samples of full range for limited; one frame is tried.

    What is written without loss keeps its samples.
    """
    codec = Codec(encoding.encoder, "w")
    exact = codec.lossless and not codec.lossy
    if exact or not info.color.full_range or info.color.rgb or is_rgb(encoding.pixel_format):
        return False
    file = io.BytesIO()
    container = open_muxer(file, of_muxer(format_name), info)
    try:
        stream = add_video_stream(container, info, encoding)
        picture = av.VideoFrame(info.width, info.height, encoding.pixel_format)
        for plane in picture.planes:  # what lay in memory may be no samples, and abort an encoder
            plane.update(bytes(plane.buffer_size))
        tag(picture, written_color(info, encoding))
        picture.pts, picture.time_base = 0, info.time_base
        start_encoding(container)
        packets = [*stream.encode(picture), *stream.encode(None)]
        set_decode_times(packets)
        container.mux(packets)
        container.close()
        file.seek(0)
        with open_input(file) as written:
            return not color_tags(next(written.decode(video=0))).full_range
    except (av.FFmpegError, StopIteration):
        return False  # whatever it is, the job itself says it
    finally:
        with contextlib.suppress(av.FFmpegError, OSError):
            container.close()


def set_decode_times(packets: list[Packet[VideoStream]]) -> None:
    """Number a stream so short that the encoder gave nothing before its end.

    libx265 4.2 leaves the dts of a video of one or two frames uninitialised.
    """
    shown = [packet.pts or 0 for packet in packets]
    lead = max((due - pts for due, pts in zip(sorted(shown), shown, strict=True)), default=0)
    for packet, due in zip(packets, sorted(shown), strict=True):
        packet.dts = due - lead


def joined(flags: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Both; of a flag that is a list of parameters, both lists."""
    both = {flag: f"{flags[flag]}:{text}" for flag, text in more.items() if flags.get(flag)}
    return flags | more | both


def _rate(info: StreamInfo) -> Fraction:
    """For the encoder's rate control alone; time is in the pts."""
    return (info.frame_rate or Fraction(30)).limit_denominator(100_000)
