"""How many frames a second a file shows, measured where what it declares is far from that.

Matroska and MPEG-TS declare a rate that their writer made up, or none at all, and FFmpeg's guess is
the clock's own where frames come seldom: 25 or 1,000 a second for a frame a minute. Nothing is
decoded here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from av.video.stream import VideoStream

from stream.capture.container import open_container, packets_of
from stream.capture.film import picture_stream
from stream.containers import is_indexed
from stream.pyav import exact

_FRAMES = 101
_OUTLIERS = 20  # one step of so many may be a pause, or a clock that jumps
_FAR = 2  # times as many frames a second, or as few


def frame_rate(path: Path, stream: VideoStream) -> Fraction | None:
    """Return the average frames per second, or None where neither a file nor its times tell.

    An index that lists every frame is believed, and so is any other average or guess unless the
    first 100 frames come twice as fast, or half as fast, or differ even more.

    Args:
        path: The file, which is opened once more, so that what is read from ``stream`` stays.
        stream: Its video.

    Raises:
        OpenError: The file cannot be opened any more.
        SourceError: Reading failed, and not because of the file's own damage.
    """
    declared = exact(stream.average_rate) or exact(stream.guessed_rate) or None
    if stream.frames and is_indexed(stream.container.format.name):
        return declared
    measured = _measured(path)
    if declared and (not measured or 1 / _FAR <= declared / measured <= _FAR):
        return declared
    return measured


def _measured(path: Path) -> Fraction | None:
    with open_container(path) as container:
        stream = picture_stream(container, path)
        packets = packets_of(container, [stream], lambda: None)
        times = [packet.pts for packet in itertools.islice(packets, _FRAMES)]
        step = mean_step(sorted(time for time in times if time is not None))
        return 1 / (step * exact(stream.time_base)) if step else None


def mean_step(times: Sequence[int]) -> Fraction | None:
    """Return the mean distance of neighbours, the largest 5 % left out; None where there is none.

    Args:
        times: In order.
    """
    steps = sorted(later - now for now, later in itertools.pairwise(times))
    steps = steps[: len(steps) - len(steps) // _OUTLIERS]
    return Fraction(sum(steps), len(steps)) or None if steps else None
