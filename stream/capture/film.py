"""Which of a file's videos is the film: the one to clean, where others are previews or stills.

Decodes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stream.capture.container import open_container, packets_of
from stream.errors import OpenError

_COVER = Disposition.attached_pic | Disposition.timed_thumbnails
_ENOUGH = 1000  # packets of one video, after which no further ones are counted


def is_cover(stream: VideoStream) -> bool:
    """Return whether a stream of pictures is cover art, or thumbnails for a player's time bar."""
    return bool(stream.disposition & _COVER)


def _kind(stream: Stream) -> str:
    return "cover art" if isinstance(stream, VideoStream) else stream.type


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the stream to work on.

    Of several videos those that move come first, of those the ones marked as default. Of what
    remains it is the first with at least half as many frames as the longest.

    Args:
        container: Read no further.
        path: The same file, which is opened once more where frames have to be counted.

    Raises:
        OpenError: There is none, or no decoder for it, or only tiles of one.
        SourceError: Frames had to be counted, and reading failed.
    """
    if any(stream.disposition & Disposition.dependent for stream in container.streams.video):
        raise OpenError(
            f"{path} is one picture in tiles, as phones write HEIC; convert it to PNG or JPEG first"
        )
    videos = [stream for stream in container.streams.video if not is_cover(stream)]
    if not videos:
        held = {_kind(stream) for stream in container.streams}
        said = ", ".join(sorted(held)) or "nothing"
        raise OpenError(f"{path} holds no video, only {said}; name a video file")
    film = videos[0] if len(videos) == 1 else _longest(videos, path)
    if film.codec_context is None:
        raise OpenError(f"{path}: no decoder for its video; convert it with ffmpeg first")
    return film


def _longest(videos: Sequence[VideoStream], path: Path) -> VideoStream:
    counts = {stream.index: stream.frames or _tagged(stream) for stream in videos}
    if not all(counts.values()):
        counts = _counted(videos, path)
    moving = [stream for stream in videos if counts[stream.index] > 1] or videos
    marked = [one for one in moving if one.disposition & Disposition.default] or moving
    most = max(counts[stream.index] for stream in marked)
    return next(stream for stream in marked if 2 * counts[stream.index] >= most)


def _tagged(stream: VideoStream) -> int:
    """Return how many frames Matroska's statistics promise; 0 where there are none."""
    text = next((text for key, text in stream.metadata.items() if _is_count(key)), "")
    return int(text) if text.isdecimal() else 0


def _is_count(key: str) -> bool:
    return key.upper().startswith("NUMBER_OF_FRAMES")  # a language may follow


def _counted(videos: Sequence[VideoStream], path: Path) -> Counter[int]:
    """Count the packets of each up to where one of them has enough."""
    counts: Counter[int] = Counter()
    with open_container(path) as container:
        streams = [container.streams[stream.index] for stream in videos]
        for packet in packets_of(container, streams, lambda: None):
            counts[packet.stream.index] += 1
            if counts[packet.stream.index] >= _ENOUGH:
                break
    return counts
