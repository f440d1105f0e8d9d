"""Small clips made with PyAV alone, so that the code under test does not make its own evidence."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from stream.output.priority import start_encoding

SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class Clip:
    """What to encode; hashable, so that each is made once.

    ``gaps`` are the steps between pictures in units of ``time_base``, repeated as needed.
    """

    suffix: str = ".mp4"
    codec: str = "libx264"
    width: int = 160
    height: int = 120
    pixel_format: str = "yuv420p"
    frames: int = 24
    time_base: Fraction = Fraction(1, 12800)
    gaps: tuple[int, ...] = (512,)
    start: int = 0
    options: tuple[tuple[str, str], ...] = (("preset", "ultrafast"),)
    color: tuple[int, int, int, int] = (0, 2, 2, 2)
    sample_aspect_ratio: Fraction | None = None
    rotation: int = 0
    audio: str = ""
    subtitle: str = ""
    attachment: bool = False
    cover: bool = False
    second_video: bool = False
    chapters: bool = False
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def pts(self) -> list[int]:
        times = [self.start]
        for index in range(self.frames - 1):
            times.append(times[-1] + self.gaps[index % len(self.gaps)])
        return times


def make_clip(path: Path, clip: Clip) -> None:
    formats = {".mkv": "matroska", ".ts": "mpegts", ".m4v": "mp4"}
    options = {"movie_timescale": "12800"} if clip.suffix in (".mp4", ".mov") else {}
    format_name = formats.get(clip.suffix, clip.suffix[1:])
    with av.open(str(path), "w", format=format_name, options=options) as container:
        container.metadata.update(dict(clip.metadata))
        video = add_video(container, clip)
        extra = add_video(container, clip) if clip.second_video else None
        audio = None
        if clip.audio:
            audio = container.add_stream(clip.audio, rate=SAMPLE_RATE, layout="mono")
            audio.metadata["language"] = "fin"
        subtitle = container.add_mux_stream(clip.subtitle) if clip.subtitle else None
        if subtitle:
            subtitle.time_base = Fraction(1, 1000)
            subtitle.metadata["language"] = "isl"
        cover = container.add_mux_stream("png", width=16, height=16) if clip.cover else None
        if cover:
            cover.disposition = 1 << 10
        if clip.attachment:
            container.add_attachment("font.ttf", "application/x-truetype-font", b"not a font" * 9)
        if clip.chapters:
            unit = Fraction(1, 1000)
            container.set_chapters(
                [
                    {
                        "id": 1,
                        "start": 0,
                        "end": 400,
                        "time_base": unit,
                        "metadata": {"title": "A"},
                    },
                    {
                        "id": 2,
                        "start": 400,
                        "end": 960,
                        "time_base": unit,
                        "metadata": {"title": "B"},
                    },
                ]
            )
        start_encoding(container)
        if cover:
            container.mux(packet(cover, png(), 0, 0))
        for index, time in enumerate(clip.pts):
            for stream in filter(None, (video, extra)):
                container.mux(stream.encode(picture(clip, index, time)))
        for stream in filter(None, (video, extra)):
            container.mux(stream.encode(None))
        if audio:
            add_audio(container, audio, float(clip.time_base * (clip.pts[-1] - clip.start)))
        if subtitle:
            for start, text in ((100, b"first"), (300, b"second")):
                raw = len(text).to_bytes(2, "big") + text if clip.subtitle == "mov_text" else text
                container.mux(packet(subtitle, raw, start, 150))


def add_video(container: av.container.OutputContainer, clip: Clip) -> av.VideoStream:
    stream = container.add_stream(clip.codec, rate=25, options=dict(clip.options))
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pixel_format
    stream.codec_context.time_base = stream.time_base = clip.time_base
    stream.codec_context.flags |= av.codec.context.Flags.frame_duration
    context = stream.codec_context
    context.color_range, context.color_primaries = clip.color[:2]
    context.color_trc, context.colorspace = clip.color[2:]
    if clip.sample_aspect_ratio:
        context.sample_aspect_ratio = clip.sample_aspect_ratio
    if clip.rotation:
        stream.set_display_rotation(clip.rotation)
    return stream


def picture(clip: Clip, index: int, time: int) -> av.VideoFrame:
    rng = np.random.default_rng(7)
    squares = rng.integers(40, 200, (clip.height // 8 + 2, clip.width // 8 + 40), np.uint8)
    canvas = squares.repeat(8, 0).repeat(8, 1)
    shot = canvas[: clip.height, 3 * index : 3 * index + clip.width]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(shot), format="gray")
    frame = frame.reformat(format=clip.pixel_format)
    frame.pts, frame.time_base = time, clip.time_base
    frame.duration = clip.gaps[index % len(clip.gaps)]
    return frame


def add_audio(container: av.container.OutputContainer, stream: av.AudioStream, length_s: float):
    size = stream.codec_context.frame_size or 1024
    layout = stream.codec_context.format.name
    wave = np.sin(np.arange(int(length_s * SAMPLE_RATE) // size * size) * 0.05)
    for start in range(0, len(wave), size):
        part = wave[None, start : start + size]
        samples = part.astype(np.float32) if "flt" in layout else (part * 9e3).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format=layout, layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def packet(stream: av.stream.Stream, raw: bytes, time: int, duration: int) -> av.Packet:
    made = av.Packet(raw)
    made.stream, made.time_base = stream, Fraction(1, 1000)
    made.pts = made.dts = time
    made.duration, made.is_keyframe = duration, True
    return made


def png() -> bytes:
    encoder = av.CodecContext.create("png", "w")
    encoder.width = encoder.height = 16
    encoder.pix_fmt, encoder.time_base = "rgb24", Fraction(1, 25)
    return bytes(encoder.encode(av.VideoFrame(16, 16, "rgb24"))[0])


def damage(source: Path, target: Path, *packets: int) -> list[int]:
    """Copy a clip with the payload of these packets overwritten; returns their pts."""
    raw = bytearray(source.read_bytes())
    lost = []
    with av.open(str(source)) as container:
        video = [packet for packet in container.demux(video=0) if packet.size]
        for index in packets:
            payload = bytes(video[index])
            start = raw.index(payload)
            raw[start : start + len(payload)] = bytes(len(payload))
            lost.append(video[index].pts)
    target.write_bytes(raw)
    return sorted(lost)


def times(path: Path, stream: int = 0) -> list[Fraction]:
    """Seconds of every picture, as a player shows them."""
    with av.open(str(path)) as container:
        video = container.streams.video[stream]
        return [frame.pts * video.time_base for frame in container.decode(video)]


def packets(path: Path, kind: str, *, frames: bool = False) -> list[tuple[Fraction, bytes]]:
    """Seconds and bytes of every packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (made.pts * stream.time_base, bytes(made))
            for made in container.demux(stream)
            if made.size
        ]


@contextlib.contextmanager
def opened(path: Path):
    with av.open(str(path)) as container:
        yield container
