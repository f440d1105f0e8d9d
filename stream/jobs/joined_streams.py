"""The streams of a finished file: which of the source's its container holds, and how each is added.

What a container holds is not looked up but asked of its muxer, in memory. Writes no packet of the
finished file.
"""

from __future__ import annotations

import contextlib
import io
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stream.capture.container import open_container
from stream.capture.facts import codec_of, streams_of
from stream.containers import M2TS, MKV, MOV, TS, Container
from stream.frame import StreamInfo
from stream.jobs.reel import Reel
from stream.jobs.steady import even_rate, steady_rate
from stream.output.muxer import hides, open_muxer
from stream.pyav import open_input

_IMAGES = {"png": "png", "mjpeg": "jpeg", "gif": "gif", "bmp": "bmp", "webp": "webp"}


def add_video(
    target: OutputContainer, container: Container, reel: Reel, source: Path, info: StreamInfo
) -> Stream:
    """Add the stream of the pictures, as the segments have it and as players look for it."""
    stream = target.add_stream_from_template(reel.template, opaque=True)
    if container.steady:
        annex_b(reel.template, stream)
        stream.time_base = 1 / steady_rate(source)
    elif isinstance(stream, VideoStream) and container.is_mp4:
        if tag := _tag(reel.template):
            stream.codec_context.codec_tag = tag
        # they count a timecode in it, and take 1 / time base for it where it is missing
        rate = info.frame_rate or Fraction(0)
        stream.codec_context.framerate = rate if 1 <= rate <= 255 else Fraction(25)
    elif container.is_matroska:
        state_rate(stream, container, even_rate(reel.times(), info.frame_rate))
    keep_pixel_shape(stream, info.sample_aspect_ratio)
    return stream


def state_rate(stream: Stream, container: Container, rate: Fraction | None) -> None:
    """Tell Matroska the duration of frames, or that it varies; FFmpeg would say a tick."""
    if isinstance(stream, VideoStream) and container.is_matroska:
        stream.codec_context.framerate = rate or Fraction(0)


def annex_b(video: Stream, target: Stream | None = None) -> BitStreamFilterContext | None:
    """What brings H.264 from the form of MP4 into that of AVI, packets and parameter sets."""
    if codec_of(video) != "h264":
        return None
    return BitStreamFilterContext("h264_mp4toannexb", video, target)


def holds(container: Container, stream: Stream, info: StreamInfo, tag: str) -> bool:
    """Whether the target's container takes this stream; it is asked, in memory."""
    if stream.disposition & Disposition.attached_pic:
        if container.attachments and attachable(stream):
            return True
        if not container.covers:
            return False
    file = io.BytesIO()
    trial = open_muxer(file, container, info)
    try:
        copy = trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
        if stream.type == "data" and container.is_mp4:
            return tag in _described_data(trial, copy, file)
        return not hides(trial, copy, file)
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError, OSError):
            trial.close()


def advice_for(container: Container, stream: Stream, info: StreamInfo, tag: str) -> str:
    """The container that keeps a stream, in words; each is asked."""
    if stream.type == "data" and not codec_of(stream):
        return ""  # MPEG-TS takes it, but not what it is
    others = (one for one in (MKV, MOV, TS, M2TS) if one is not container)
    keeping = next((one for one in others if holds(one, stream, info, tag)), None)
    return f"; {keeping.suffixes[0]} keeps it" if keeping else ""


def _described_data(trial: OutputContainer, stream: Stream, file: io.BytesIO) -> list[str]:
    """What a trial with a stream of data reads as: MOV takes what it can't describe, too."""
    packet: Packet[Stream] = Packet(bytes(64))
    packet.stream, packet.pts, packet.dts = stream, 0, 0
    trial.mux(packet)
    trial.close()
    file.seek(0)
    with open_input(file) as written:
        return [described.codec for described in streams_of(written)]


def attachable(stream: Stream) -> str | None:
    """The type of image that cover art is, for Matroska, which keeps it as an attachment."""
    cover = bool(stream.disposition & Disposition.attached_pic)
    return _IMAGES.get(codec_of(stream)) if cover else None


def attach(target: OutputContainer, stream: Stream, kind: str) -> Stream:
    """Add cover art as an attachment, with the name that it has or that players look for."""
    with open_container(Path(stream.container.name.removeprefix("file:"))) as again:
        packets = again.demux(again.streams[stream.index])
        image = next((bytes(packet) for packet in packets if packet.size), b"")
    name = stream.metadata.get("filename", f"cover.{kind}")
    return target.add_attachment(name, f"image/{kind}", image)


def _tag(video: Stream) -> str | None:
    """The four letters for MP4 and MOV where FFmpeg's choice is not what players look for."""
    if codec_of(video) == "prores" and video.codec_context:
        return video.codec_context.codec_tag  # there are six kinds; it would name the first
    return "hvc1" if codec_of(video) == "hevc" else None  # Apple's players show no hev1


def keep_pixel_shape(stream: Stream, ratio: Fraction | None) -> None:
    """Demuxers tell it of the stream, muxers want it with the codec's parameters."""
    if isinstance(stream, VideoStream) and ratio:
        stream.codec_context.sample_aspect_ratio = ratio
