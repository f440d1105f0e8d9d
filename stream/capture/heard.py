"""The sound of an open container, made independent of it: packets that outlive a connection."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from stream.pyav import exact, open_input, open_output
from stream.sound import SoundFormat, SoundPacket


class Heard:
    """Collects the packets of one audio stream until somebody takes them.

    Args:
        stream: Of an open container; AAC as MPEG-TS has it (ADTS) loses the header of each packet,
            for which most other containers have no room.
    """

    def __init__(self, stream: AudioStream) -> None:
        self.stream = stream
        self.format: SoundFormat | None = None
        self._packets: list[SoundPacket] = []
        context = stream.codec_context
        in_adts = context.codec.canonical_name == "aac" and not context.extradata
        self._bare = BitStreamFilterContext("aac_adtstoasc", stream) if in_adts else None

    def add(self, packet: Packet[Any]) -> None:
        """Take one packet; what no codec can read is left out."""
        pts = packet.dts if packet.pts is None else packet.pts
        if pts is None:
            return
        time_base = exact(packet.time_base)
        start_s, duration_s = pts * time_base, (packet.duration or 0) * time_base
        try:
            if self.format is None:
                self.format = _format(self.stream, bytes(packet), in_adts=self._bare is not None)
            bare = self._bare.filter(packet) if self._bare else [packet]
        except (av.FFmpegError, ValueError):
            return
        for each in bare:
            self._packets.append(SoundPacket(bytes(each), start_s, duration_s, self.format))

    def take(self) -> tuple[SoundPacket, ...]:
        """Return what came since the last call; times are the container's own."""
        taken, self._packets = tuple(self._packets), []
        return taken


def stream_of(container: InputContainer, video: VideoStream) -> AudioStream | None:
    """Return the sound of the same programme as the frames, or None where there is none to decode.

    A playlist has a programme for each of its qualities, a transport stream one for each channel.
    """
    best = container.streams.best("audio", related=video)
    if isinstance(best, AudioStream) and best.codec_context is not None:
        return best
    return None


def _format(stream: AudioStream, data: bytes, *, in_adts: bool) -> SoundFormat:
    """Describe the stream by a file of one packet; Matroska's muxer reads ADTS, NUT takes all."""
    name = "matroska" if in_adts else "nut"
    file = io.BytesIO()
    with open_output(file, format_name=name) as container:
        written = container.add_stream_from_template(stream)
        packet = av.Packet(data)
        packet.stream, packet.pts, packet.dts = written, 0, 0
        packet.time_base = Fraction(1, 1000)
        container.mux(packet)
    sample = file.getvalue()
    with open_input(io.BytesIO(sample), format_name=name) as container:
        context = container.streams.audio[0].codec_context
        return SoundFormat(
            codec=context.codec.canonical_name,
            rate=context.sample_rate,
            channels=context.layout.nb_channels,
            setup=bytes(context.extradata or b""),
            sample=sample,
        )
