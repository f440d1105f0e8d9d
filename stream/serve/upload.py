"""A video on its way in: received within limits, and looked at before anybody works on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer

from stream.containers import MKV, MOV, MP4, TS, WEBM, of_demuxer
from stream.errors import OpenError
from stream.pyav import exact, open_input
from stream.serve.limits import UPLOAD_STEP, Limits

# What a demuxer may be: none that opens further files or addresses, as playlists do.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif"
_MADE = (MP4, MOV, MKV, WEBM, TS)


class TooMuchError(Exception):
    """Beyond a limit, which the message names."""


class TooSlowError(Exception):
    """An upload that does not get on."""


@dataclass(frozen=True, slots=True)
class Video:
    """What is known of an upload.

    Attributes:
        suffix: Of what is made of it.
        width: In pixels.
        height: In pixels.
        rate: Frames per second, where the file tells; for people.
        frames: How many it has, likewise.
    """

    suffix: str
    width: int
    height: int
    rate: float | None = None
    frames: int | None = None


def require_size(size: int, limits: Limits) -> None:
    """Raise TooMuchError where a video of ``size`` bytes is beyond the limits."""
    if size > limits.upload_bytes:
        raise TooMuchError(f"a video may have {limits.upload_bytes >> 20} MiB")


async def receive(path: Path, chunks: AsyncIterator[bytes], limits: Limits) -> None:
    """Write what comes to a file.

    Raises:
        TooMuchError: It is too large, or takes too long.
        TooSlowError: Nothing worth mentioning comes any more.
        OSError: It cannot be written.
    """
    size = reached = 0
    try:
        with path.open("wb") as file:
            async with asyncio.timeout(limits.upload_s), _standstill(limits) as standstill:
                async for chunk in chunks:
                    size += len(chunk)
                    require_size(size, limits)
                    if size - reached >= UPLOAD_STEP:
                        reached = size
                        standstill.reschedule(_from_now(limits))
                    await asyncio.to_thread(file.write, chunk)
    except TimeoutError as error:
        if standstill.expired():
            raise TooSlowError("nothing more of the video came; send it again") from error
        raise TooMuchError(f"the upload took over {limits.upload_s:g} s") from error


def _standstill(limits: Limits) -> asyncio.Timeout:
    return asyncio.timeout_at(_from_now(limits))


def _from_now(limits: Limits) -> float:
    return asyncio.get_running_loop().time() + limits.upload_idle_s


def look_at(path: Path, limits: Limits) -> Video:
    """Find out what an upload is, without decoding a picture.

    Raises:
        OpenError: It is no video.
        TooMuchError: By its own account it is beyond the limits.
    """
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = open_input(f"file:{path}", options=options)
    except (av.FFmpegError, OSError) as error:
        raise OpenError("this is not a video of a known kind") from error
    with container:
        videos = [stream for stream in container.streams.video if stream.codec_context]
        if not videos:
            raise OpenError("there is no video in this file")
        if any(video.width * video.height > limits.video_pixels for video in videos):
            raise TooMuchError(too_large(limits))
        length_s = container.duration / av.time_base if container.duration else None
        if length_s and length_s > limits.video_s:
            raise TooMuchError(f"a video may last {limits.video_s:g} s")
        first = videos[0]
        rate = float(exact(first.average_rate) or exact(first.guessed_rate)) or None
        frames = first.frames or (round(length_s * rate) if length_s and rate else None)
        return Video(_suffix(container), first.width, first.height, rate, frames)


def too_large(limits: Limits) -> str:
    """What is said of pictures beyond the limit."""
    return f"a picture may have {limits.video_pixels / 1e6:.1f} megapixels"


def _suffix(container: InputContainer) -> str:
    codecs = {stream.codec_context.name for stream in container.streams if stream.codec_context}
    kind = of_demuxer(container.format.name)
    if kind is MKV and codecs <= WEBM.codecs:
        kind = WEBM
    if kind is MP4 and container.metadata.get("major_brand", "").strip() == "qt":
        kind = MOV
    return (kind if kind in _MADE else MKV).suffixes[0]
