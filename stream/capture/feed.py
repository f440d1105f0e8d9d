"""A connection to whatever FFmpeg reads live: a network stream, a screen, a camera's driver.

Every wait is bounded. Owns the container; what may be opened and how is the caller's to say.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from stream.capture.connection import MAX_PIXELS, MICROSECONDS, TOO_LARGE, Arrival, first_of
from stream.capture.container import reason
from stream.capture.deinterlace import Deinterlacer
from stream.capture.heard import Heard, stream_of
from stream.capture.receiver import Item, Receiver
from stream.capture.refusals import refusal
from stream.errors import AddressError, OpenError, SourceError
from stream.frame import StreamInfo
from stream.pixel_format import color_tags, flowing_format, read_planes, without_rgb
from stream.pyav import exact, open_input
from stream.sound import SoundFormat

KEYFRAME_S = 30.0
"""How long packets may come without a picture at first: whole ones are sent now and then."""

_AHEAD_S = 2.0  # of the sender's time; more than any picture is delayed on purpose
_SOUND_S, _SOUND_PICTURES = 1.0, 64  # how long sound that is announced is waited for
_AnyPacket: TypeAlias = "Packet[Any]"
_SEGMENTED = frozenset({"hls", "dash"})
_UNDECLARED = "flv"
"""The format, that of RTMP too, whose streams are known by their packets alone."""


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """What to open.

    Attributes:
        url: As FFmpeg takes it.
        name: As messages and reports show it, without passwords.
        format_name: FFmpeg's demuxer or device; None lets it find out.
        options: FFmpeg's, for the demuxer, the device and the protocol.
        timeout_s: Without a picture for so long, it counts as lost.
        probe_s: How long to look for its streams, in seconds of its own time.
        serving: The sender connects to us, so that it must be taken as it comes.
        buffer_s: How late its pictures may be shown to keep their pace; without, they are read one
            by one as they are asked for, which is right for devices of this machine.
        sound: Whether to read the sound too.
    """

    url: str
    name: str
    format_name: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 5.0
    probe_s: float = 0.0
    buffer_s: float = 0.0
    serving: bool = False
    sound: bool = False


class Feed:
    """The pictures of one live container, each as soon as it is decoded.

    Raises:
        OpenError: There is nothing at this place, or no video, or no picture in time.
    """

    def __init__(self, place: FeedAddress) -> None:
        self._place = place
        self._undecoded = self._damaged = 0
        self._receiver: Receiver[_AnyPacket] | None = None
        self._container = _opened(place, place.probe_s)
        try:
            video = self._container.streams.video
            if self._container.format.name == _UNDECLARED and not (video or place.serving):
                # servers send sound at once, and of the picture nothing before a keyframe
                self._container.close()
                self._container = _opened(place, KEYFRAME_S)
            segmented = self._container.format.name in _SEGMENTED
            self.buffer_s = math.inf if segmented else place.buffer_s
            self._clockless = _clockless(self._container)
            self._stream = _video(self._container, place)
            audible = place.sound and not self._clockless
            heard = stream_of(self._container, self._stream) if audible else None
            self._heard = Heard(heard) if heard else None
            self._streams = [self._stream, *([heard] if heard else [])]
            _choose(self._container, self._streams)
            self._deinterlacer = Deinterlacer(self._stream)
            if place.buffer_s:
                self._receiver = Receiver(self._received(), limit_s=_AHEAD_S)
            self._pictures = self._decoded()
            first = first_of(self._pictures, self._place.name)
            self._ahead = deque([first])
            self._wait_for_sound(first[1])
            self.info = self._describe(first[0])
        except BaseException:
            self.close()
            raise

    @property
    def sound(self) -> SoundFormat | None:
        """See `stream.capture.connection.Connection`."""
        return self._heard.format if self._heard else None

    @property
    def decode_failures(self) -> int:
        """Pictures and places in the stream that could not be decoded."""
        return self._undecoded + self._damaged

    def pictures(self) -> Iterator[Arrival]:
        """See `stream.capture.connection.Connection`."""
        while self._ahead:
            yield self._arrival(*self._ahead.popleft())
        for picture, arrived_s in self._pictures:
            yield self._arrival(picture, arrived_s)

    def close(self) -> None:
        """Close the container, after the read that is under way."""
        if self._receiver is not None:
            self._receiver.close()
        self._container.close()

    def _arrival(self, picture: av.VideoFrame, arrived_s: float) -> Arrival:
        pts = None if self._clockless else picture.pts
        sound = self._heard.take() if self._heard else ()
        return Arrival(read_planes(without_rgb(picture)), pts, arrived_s, sound)

    def _wait_for_sound(self, began_s: float) -> None:
        """Read on until the sound that is announced has come too, which has to be described."""
        while self._heard and not self._heard.format and len(self._ahead) < _SOUND_PICTURES:
            try:
                following = next(self._pictures, None)
            except SourceError:
                return  # whoever asks for the next picture is told
            if following is None:
                return
            self._ahead.append(following)
            if following[1] - began_s > _SOUND_S:
                return

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """Pictures, and when each became whole."""
        seen, patience_s = False, max(self._place.timeout_s, KEYFRAME_S)
        last_s = arrived_s = time.perf_counter()
        for packet, arrived_s in self._packets():
            pictures: list[av.VideoFrame] = []
            if self._heard and packet.stream_index == self._heard.stream.index:
                self._heard.add(packet)
            else:
                try:
                    pictures = self._stream.decode(packet)
                except av.FFmpegError:
                    # before the first keyframe there is nothing to decode from
                    self._undecoded += seen
            if pictures:
                seen, last_s, patience_s = True, arrived_s, self._place.timeout_s
            elif arrived_s - last_s > patience_s:
                raise SourceError(f"no picture could be decoded for {patience_s:g} s")
            for picture in pictures:
                for whole in self._deinterlacer.push(picture):
                    yield whole, arrived_s
        with contextlib.suppress(av.FFmpegError):
            for picture in self._stream.decode(None):
                for whole in self._deinterlacer.push(picture):
                    yield whole, arrived_s
        for whole in self._deinterlacer.flush():
            yield whole, arrived_s

    def _packets(self) -> Iterator[tuple[_AnyPacket, float]]:
        if self._receiver is None:
            for packet, _, _ in self._received():
                yield packet, time.perf_counter()
            return
        item: Item[_AnyPacket]
        for item in self._receiver:
            yield item.value, item.arrived_s

    def _received(self) -> Iterator[tuple[_AnyPacket, int, float | None]]:
        """Packets with their sizes and times; runs on the receiver's thread, where there is one."""
        place = self._place
        while True:
            try:
                for packet in self._container.demux(*self._streams):
                    if packet.size:
                        at = packet.dts
                        sent_s = None if at is None else at * float(exact(packet.time_base))
                        yield packet, packet.size, None if self._clockless else sent_s
            except av.InvalidDataError:
                self._damaged += 1
                continue
            except av.ExitError as error:
                raise SourceError(f"nothing came for {place.timeout_s:g} s") from error
            except (av.FFmpegError, OSError) as error:
                raise SourceError(f"reading failed ({reason(error)})") from error
            return

    def _describe(self, picture: av.VideoFrame) -> StreamInfo:
        stream, duration = self._stream, self._container.duration
        if not stream.time_base:
            raise OpenError(f"{self._place.name}: its video has no time base")
        rate = exact(stream.average_rate) or exact(stream.guessed_rate) or None
        shown = without_rgb(picture)
        return StreamInfo(
            name=self._place.name,
            width=picture.width,
            height=picture.height,
            pixel_format=flowing_format(shown.format.name),
            source_pixel_format=picture.format.name,
            time_base=MICROSECONDS if self._clockless else exact(stream.time_base),
            start_pts=0 if self._clockless else picture.pts or 0,
            frame_rate=None if self._clockless else rate,
            duration_s=duration / av.time_base if duration else None,
            live=True,
            codec=stream.codec_context.codec.canonical_name,
            color=color_tags(shown),
            sample_aspect_ratio=exact(stream.sample_aspect_ratio) or None,
        )


def _clockless(container: InputContainer) -> bool:
    """Whether FFmpeg makes the time stamps up: bare streams of pictures carry none."""
    known = container.format
    return Flags.no_timestamps in Flags(known.flags) or known.name == "mpjpeg"


def _opened(place: FeedAddress, probe_s: float) -> InputContainer:
    """Open it and look for its streams, so long in seconds of its own time."""
    probing = {"analyzeduration": str(round(1e6 * probe_s))} if probe_s else {}
    try:
        return open_input(
            place.url,
            format_name=place.format_name,
            options={**place.options, **probing},
            timeout_s=place.timeout_s + probe_s,
        )
    except av.ExitError as error:
        raise OpenError(f"{place.name}: nothing came within {place.timeout_s:g} s") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise refusal(place.name, error) from error


def _choose(container: InputContainer, streams: list[Any]) -> None:
    """Let the container leave out all but these streams."""
    indices = {stream.index for stream in streams}
    for other in container.streams:
        if other.index not in indices:
            other.discard = Discard.all


def _video(container: InputContainer, place: FeedAddress) -> VideoStream:
    for stream in container.streams.video:
        if stream.codec_context is not None:
            context = stream.codec_context
            if context.width * context.height > MAX_PIXELS:
                size = f"{context.width}x{context.height}"
                raise AddressError(f"{place.name}: its frames are {size}; {TOO_LARGE}")
            context.options = {"max_pixels": str(MAX_PIXELS)}
            stream.thread_type = "SLICE"  # frame threads would hold pictures back
            return stream
    if container.streams.audio:
        raise AddressError(f"{place.name} holds sound alone, and no video")
    raise OpenError(f"{place.name} holds no video that can be decoded")
