"""Opening videos to learn from or to score on: with PyAV alone, of version 18 or 19."""

from collections import Counter
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

# see stream/pyav.py: 19 has no such setting, and 18 would raise on tags that are not UTF-8
_ANY_TAGS: Any = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}

_COVER = Disposition.attached_pic | Disposition.timed_thumbnails
_ENOUGH = 1000  # packets of one video, after which no further ones are counted


def open_video(path: Path) -> InputContainer:
    """Open a video for reading, whatever its tags are written in; raises what `av.open` does."""
    # the prefix keeps a colon in the name from being taken for a protocol
    container: InputContainer = av.open(f"file:{path}", mode="r", **_ANY_TAGS)
    return container


def film_of(container: InputContainer, path: Path) -> VideoStream:
    """Return the video to look at, the same one as `stream.capture.film` chooses to clean.

    Cover art is none; videos of more than one frame come first, of those the ones marked as
    default, of those the first with at least half as many frames as the longest.

    Args:
        container: Read no further.
        path: The same file, which is opened once more where frames have to be counted.

    Raises:
        IndexError: There is no video, or only one picture in tiles; it says which.
        av.FFmpegError: The file cannot be read.
    """
    if any(one.disposition & Disposition.dependent for one in container.streams.video):
        raise IndexError(
            "it is one picture in tiles, as phones write HEIC; convert it to PNG first"
        )
    videos = [one for one in container.streams.video if not one.disposition & _COVER]
    if not videos:
        raise IndexError("it holds none")
    if len(videos) < 2:
        return videos[0]
    counts = Counter({one.index: one.frames for one in videos})
    if not all(counts.values()):
        counts = _counted(path, [one.index for one in videos])
    moving = [one for one in videos if counts[one.index] > 1] or videos
    marked = [one for one in moving if one.disposition & Disposition.default] or moving
    most = max(counts[one.index] for one in marked)
    return next(one for one in marked if 2 * counts[one.index] >= most)


def _counted(path: Path, indexes: list[int]) -> Counter[int]:
    """Count the packets of each up to where one of them has enough."""
    counts: Counter[int] = Counter()
    with open_video(path) as container:
        for packet in container.demux([container.streams[index] for index in indexes]):
            counts[packet.stream.index] += bool(packet.size)
            if counts[packet.stream.index] >= _ENOUGH:
                break
    return counts
