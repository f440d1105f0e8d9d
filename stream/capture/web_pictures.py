"""Single pictures over HTTP: multipart as cameras send it, and addresses that give one each time.

FFmpeg invents a rate for them, wants boundaries that many cameras don't send, and reads several
pictures before it gives one.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import av
from av.video.codeccontext import VideoCodecContext

from stream.capture.connection import MAX_PIXELS, MICROSECONDS, Arrival, first_of
from stream.capture.feed import FeedAddress
from stream.capture.jpegs import JpegParser
from stream.capture.receiver import Receiver
from stream.errors import AddressError, SourceError
from stream.frame import StreamInfo
from stream.pixel_format import color_tags, flowing_format, read_planes, without_rgb
from stream.sound import SoundFormat
from stream.url import credentials

POLL_S = 0.1
"""An address that gives one picture is asked no more often."""

_LARGEST = 64 << 20  # bytes of one picture
_AHEAD_S = 2.0
_BLOCK = 1 << 16
_TEXTS = ("text/html", "application/xhtml+xml", "application/json", "text/xml")
_TYPES = ("multipart/x-mixed-replace", "image/jpeg", "image/jpg")
_UNTYPED = "application/octet-stream"
_HEADS = (b"--", b"\xff\xd8\xff", b"content-type: image/jpeg")
"""How pictures begin that are sent without saying what they are."""


class WebPictures:
    """What `Feed` gives, from pictures over HTTP; see `stream.capture.connection.Connection`.

    Args:
        place: Its options are FFmpeg's, and not looked at.
        response: What the address has answered, not read yet; closed with this.

    Raises:
        OpenError: No picture came in time.
    """

    def __init__(self, place: FeedAddress, response: http.client.HTTPResponse) -> None:
        self.decode_failures = 0
        self.sound: SoundFormat | None = None
        self.buffer_s = place.buffer_s
        self._place = place
        self._response = response
        self._jpeg = VideoCodecContext.create("mjpeg", "r")
        self._jpeg.options = {"max_pixels": str(MAX_PIXELS)}
        self._receiver = Receiver(self._received(), limit_s=_AHEAD_S)
        self._pictures = self._decoded()
        try:
            self._first = first_of(self._pictures, self._place.name)
        except BaseException:
            self.close()
            raise
        picture = self._first[0]
        self.info = StreamInfo(
            name=place.name,
            width=picture.width,
            height=picture.height,
            pixel_format=flowing_format(without_rgb(picture).format.name),
            source_pixel_format=picture.format.name,
            time_base=MICROSECONDS,
            live=True,
            codec="mjpeg",
            color=color_tags(without_rgb(picture)),
        )

    def pictures(self) -> Iterator[Arrival]:
        """See `stream.capture.connection.Connection`."""
        yield _arrival(*self._first)
        for picture, arrived_s in self._pictures:
            yield _arrival(picture, arrived_s)

    def close(self) -> None:
        """Close the connection, after the read that is under way."""
        self._receiver.close()
        self._response.close()

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """Pictures, and when each became whole."""
        patience_s, last_s = self._place.timeout_s, time.perf_counter()
        for item in self._receiver:
            try:
                pictures = self._jpeg.decode(av.Packet(item.value))
            except av.FFmpegError:
                pictures = []
            self.decode_failures += not pictures
            if pictures:
                last_s = item.arrived_s
            elif item.arrived_s - last_s > patience_s:
                raise SourceError(f"no picture could be decoded for {patience_s:g} s")
            for picture in pictures:
                yield picture, item.arrived_s

    def _received(self) -> Iterator[tuple[bytes, int, None]]:
        """Pictures as they were sent; runs on the receiver's thread."""
        last = b""
        while True:
            asked_s = time.perf_counter()
            count = 0
            for picture in self._body():
                count += 1
                if picture != last:  # asked again before there was another one
                    yield picture, len(picture), None
                last = picture
            if count != 1:
                return
            time.sleep(max(0.0, asked_s + POLL_S - time.perf_counter()))
            try:
                self._response = answer(self._place)
            except OSError as error:
                raise SourceError(f"reading failed ({_words(error)})") from error

    def _body(self) -> Iterator[bytes]:
        """The pictures of one answer."""
        parser, place = JpegParser(), self._place
        last_s = time.perf_counter()
        while True:
            try:
                block = self._response.read1(_BLOCK)
            except TimeoutError as error:
                raise SourceError(f"nothing came for {place.timeout_s:g} s") from error
            except (OSError, http.client.HTTPException) as error:
                raise SourceError(f"reading failed ({_words(error)})") from error
            if not block:
                return
            for picture in parser.feed(block):
                last_s = time.perf_counter()
                yield picture
            if len(parser) > _LARGEST:
                raise SourceError(f"a picture has more than {_LARGEST >> 20} MiB")
            if time.perf_counter() - last_s > place.timeout_s:
                raise SourceError(f"no picture came for {place.timeout_s:g} s")


def web_pictures(place: FeedAddress) -> WebPictures | None:
    """Ask an address of HTTP; None where it answers with anything but pictures, or not at all.

    Raises:
        AddressError: It answers with a text.
        OpenError: No picture came in time.
    """
    try:
        response = answer(place)
    except OSError:
        return None  # FFmpeg may get further, and has its own words
    kind = response.headers.get_content_type()
    if kind not in _TYPES and not (kind == _UNTYPED and _begins_with_pictures(response)):
        response.close()
        if kind in _TEXTS:
            raise AddressError(f"{place.name} is a web page or another text, not a video")
        return None
    return WebPictures(place, response)


def _begins_with_pictures(response: http.client.HTTPResponse) -> bool:
    """Look at what comes first; nothing is taken away."""
    try:
        head = response.peek(64)
    except (OSError, http.client.HTTPException):
        return False
    return head.lstrip().lower().startswith(_HEADS)


def answer(place: FeedAddress) -> http.client.HTTPResponse:
    """Ask the address, with its name and password where it wants them.

    Raises:
        OSError: Nobody answers, or with an error.
    """
    url, user, password = credentials(place.url)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if user:
        passwords.add_password(None, url, user, password)
    opener = urllib.request.build_opener(
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
    try:
        response: http.client.HTTPResponse = opener.open(url, timeout=place.timeout_s)
    except (ValueError, http.client.HTTPException) as error:
        raise OSError(str(error)) from error
    return response


def _arrival(picture: av.VideoFrame, arrived_s: float) -> Arrival:
    return Arrival(read_planes(without_rgb(picture)), None, arrived_s)


def _words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", error))
