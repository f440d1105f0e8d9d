"""A connection to whatever FFmpeg reads live: a network stream, a screen, a camera's driver.

Every wait is bounded. Owns the container; what may be opened and how is the caller's to say.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from stream.capture.container import reason
from stream.errors import OpenError, SourceError
from stream.frame import Planes, StreamInfo
from stream.pixel_format import color_tags, flowing_format, read_planes, without_rgb
from stream.pyav import exact, open_input


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """What to open.

    Attributes:
        url: As FFmpeg takes it.
        name: As messages and reports show it, without passwords.
        format_name: FFmpeg's demuxer or device; None lets it find out.
        options: FFmpeg's, for the demuxer, the device and the protocol.
        timeout_s: Without a picture for so long, it counts as lost.
    """

    url: str
    name: str
    format_name: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 5.0


class Feed:
    """The pictures of one live container, each as soon as it is decoded.

    Raises:
        OpenError: There is nothing at this place, or no video, or no picture in time.
    """

    def __init__(self, place: FeedAddress) -> None:
        self.decode_failures = 0
        self._place = place
        self._container = _opened(place)
        try:
            self._stream = _video(self._container, place)
            self._pictures = self._decoded()
            self._first = self._first_picture()
            self.info = self._describe(self._first)
        except BaseException:
            self.close()
            raise

    def pictures(self) -> Iterator[tuple[Planes, int | None]]:
        """See `stream.capture.reconnect.Connection`."""
        yield read_planes(self._first), self._first.pts
        for picture in self._pictures:
            yield read_planes(picture), picture.pts

    def close(self) -> None:
        """Close the container."""
        self._container.close()

    def _first_picture(self) -> av.VideoFrame:
        try:
            first = next(self._pictures, None)
        except SourceError as error:
            raise OpenError(f"{self._place.name}: {error}") from error
        if first is None:
            raise OpenError(f"{self._place.name} ended before its first picture")
        return first

    def _decoded(self) -> Iterator[av.VideoFrame]:
        place, seen = self._place, False
        last = time.monotonic()
        for packet in self._packets():
            try:
                pictures = self._stream.decode(packet)
            except av.FFmpegError:
                # before the first keyframe there is nothing to decode from
                self.decode_failures += seen
                pictures = []
            if pictures:
                seen = True
            elif time.monotonic() - last > place.timeout_s:
                raise SourceError(f"no picture could be decoded for {place.timeout_s:g} s")
            yield from map(without_rgb, pictures)
            if pictures:
                last = time.monotonic()  # not the source's fault if they were taken slowly
        with contextlib.suppress(av.FFmpegError):
            yield from map(without_rgb, self._stream.decode(None))

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        place = self._place
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        yield packet
            except av.InvalidDataError:
                self.decode_failures += 1
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
        return StreamInfo(
            name=self._place.name,
            width=picture.width,
            height=picture.height,
            pixel_format=flowing_format(picture.format.name),
            source_pixel_format=picture.format.name,
            time_base=exact(stream.time_base),
            start_pts=picture.pts or 0,
            frame_rate=exact(stream.average_rate) or exact(stream.guessed_rate) or None,
            duration_s=duration / av.time_base if duration else None,
            live=True,
            codec=stream.codec_context.codec.canonical_name,
            color=color_tags(picture),
            sample_aspect_ratio=exact(stream.sample_aspect_ratio) or None,
        )


def _opened(place: FeedAddress) -> InputContainer:
    try:
        return open_input(
            place.url,
            format_name=place.format_name,
            options=place.options,
            timeout_s=place.timeout_s,
        )
    except av.ExitError as error:
        raise OpenError(f"{place.name}: nothing came within {place.timeout_s:g} s") from error
    except av.error.ProtocolNotFoundError as error:
        raise OpenError(f"{place.name}: this build of FFmpeg has no such protocol") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise OpenError(f"{place.name} cannot be opened ({reason(error)})") from error


def _video(container: InputContainer, place: FeedAddress) -> VideoStream:
    for stream in container.streams.video:
        if stream.codec_context is not None:
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = Discard.all
            stream.thread_type = "SLICE"  # frame threads would hold pictures back
            return stream
    raise OpenError(f"{place.name} holds no video that can be decoded")
