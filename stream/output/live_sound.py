"""Sound beside live video: copied where the container takes it, otherwise encoded as AAC."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol, cast

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from stream.pyav import exact, open_input
from stream.sound import SoundFormat, SoundPacket

_RATES = (44_100, 48_000)  # what every player and server takes
_BITS = 64_000  # a second, for each channel
_BLOCK = 1024  # samples of a packet of AAC


class SoundWriter(Protocol):
    """Makes packets of one container from those of a source."""

    def takes(self, sound: SoundFormat) -> bool:
        """Whether it can go on with such packets."""

    def write(self, packet: SoundPacket, start_s: Fraction) -> Iterator[Packet[Any]]:
        """Take one packet, to be heard at ``start_s`` of the container's time; give those ready."""

    def finish(self) -> Iterator[Packet[Any]]:
        """Give the rest."""

    def close(self) -> None:
        """Let go of what helps; may be called twice."""


def sound_writer(
    container: OutputContainer, sound: SoundFormat, copied: frozenset[str]
) -> SoundWriter:
    """Add a stream of sound to a container whose header is not written yet.

    Args:
        container: Where to.
        sound: What comes.
        copied: The codecs that are taken there as they are.

    Raises:
        ValueError: It can be neither copied nor decoded.
    """
    if sound.codec in copied:
        return _Copy(container, sound)
    return _Aac(container, sound)


class _Copy:
    """Packets as they are, at their new times."""

    def __init__(self, container: OutputContainer, sound: SoundFormat) -> None:
        self._format = sound
        with open_input(io.BytesIO(sound.sample)) as sample:
            template = sample.streams.audio[0]
            self._stream = container.add_stream_from_template(template)
        self._time_base = Fraction(1, sound.rate)
        self._last = -1

    def takes(self, sound: SoundFormat) -> bool:
        return sound == self._format

    def write(self, packet: SoundPacket, start_s: Fraction) -> Iterator[Packet[Any]]:
        at = round(start_s / self._time_base)
        if at <= self._last:  # rounded
            at = self._last + 1
        self._last = at
        made = av.Packet(packet.data)
        made.time_base = self._time_base
        made.pts = made.dts = at
        made.duration = round(packet.duration_s / self._time_base)
        made.stream = self._stream
        yield made

    def finish(self) -> Iterator[Packet[Any]]:
        return iter(())

    def close(self) -> None:
        pass


class _Aac:
    """Decoded, brought to a rate and to channels that everybody takes, and encoded.

    Another codec or rate of the source is decoded from then on, and what is written stays the same.
    """

    def __init__(self, container: OutputContainer, sound: SoundFormat) -> None:
        self._rate = sound.rate if sound.rate in _RATES else _RATES[-1]
        self._layout = "mono" if sound.channels == 1 else "stereo"
        self._decode(sound)
        self._stream = container.add_stream("aac", rate=self._rate)
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.bit_rate = _BITS * (1 if self._layout == "mono" else 2)
        self._given = 0  # samples, to the encoder
        self._until: int | None = None  # the end of the last of them, in samples of its time
        time_base = Fraction(1, self._rate)
        self._stream.time_base = self._stream.codec_context.time_base = time_base

    def takes(self, sound: SoundFormat) -> bool:
        if sound != self._format:
            before = self._sample
            try:
                self._decode(sound)
            except (av.FFmpegError, ValueError):
                return False
            before.close()
        return True

    def write(self, packet: SoundPacket, start_s: Fraction) -> Iterator[Packet[Any]]:
        made = av.Packet(packet.data)
        made.time_base = Fraction(1, packet.format.rate)
        made.pts = made.dts = round(start_s / made.time_base)
        try:
            frames = self._decoder.decode(cast(Any, made))
        except av.FFmpegError:
            return  # damaged
        for frame in frames:
            for ready in self._resampler.resample(frame):
                yield from self._given_to_encoder(ready)

    def finish(self) -> Iterator[Packet[Any]]:
        for ready in self._resampler.resample(None):
            yield from self._given_to_encoder(ready)
        yield from self._encoded(None)

    def close(self) -> None:
        self._sample.close()

    def _decode(self, sound: SoundFormat) -> None:
        """Begin with such packets; what the resampler still holds is some samples."""
        sample: InputContainer = open_input(io.BytesIO(sound.sample))
        self._decoder = sample.streams.audio[0].codec_context
        self._resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._sample, self._format = sample, sound

    def _given_to_encoder(self, frame: av.AudioFrame) -> Iterator[Packet[Any]]:
        """Encode; behind a pause after the rest of the last packet, which is silent.

        It would be filled with what comes now, and that be heard before the pause.
        """
        at = round((frame.pts or 0) * exact(frame.time_base) * self._rate)
        rest = -self._given % _BLOCK
        if rest and self._until is not None and at - self._until > _BLOCK:
            silence = av.AudioFrame(format="fltp", layout=self._layout, samples=rest)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.pts = self._rate, self._until
            silence.time_base = Fraction(1, self._rate)
            self._given += rest
            yield from self._encoded(silence)
        self._given += frame.samples
        self._until = at + frame.samples
        yield from self._encoded(frame)

    def _encoded(self, frame: av.AudioFrame | None) -> Iterator[Packet[Any]]:
        for packet in self._stream.encode(frame):
            # the encoder begins with a packet from before the first sample
            if packet.pts is not None and packet.pts * exact(packet.time_base) >= 0:
                yield packet
