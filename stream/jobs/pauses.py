"""What a container demands of the time between frames: that there is enough, and not too much."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from stream.capture.container import open_container, packets_of
from stream.capture.film import picture_stream
from stream.capture.parts import REORDERED, Parts
from stream.containers import Container, reordered_s
from stream.errors import JobError
from stream.frame import StreamInfo
from stream.jobs.excerpt import TimeRange, clock_text
from stream.pyav import exact

_COPIED = ("audio", "subtitle", "data")


def require_distinct(info: StreamInfo, unit: Fraction | None, container: Container) -> None:
    """Check that frames keep times of their own where time is counted in ``unit``.

    Args:
        info: Of the video.
        unit: Seconds; None counts in those of the video.
        container: What counts so, for the error.

    Raises:
        JobError: They come faster than that.
    """
    rate = info.frame_rate
    if unit and rate and rate * unit > 1:
        raise JobError(
            f"{info.name} shows {float(rate):.0f} frames a second, and {container.name} counts in "
            f"{unit} s; choose a container and a --codec that do not, such as .mp4 and h264"
        )


def require_short_pauses(
    path: Path, info: StreamInfo, container: Container, window: TimeRange
) -> bool:
    """Check that no pause in a file is longer than its new container can tell.

    The file is read through, without decoding, where it is long enough for such a pause.

    Args:
        path: The file.
        info: Of its video, in the time base that it gets.
        container: Of the output.
        window: The part that is wanted.

    Returns:
        Whether one is longer than the container can tell where frames are reordered.

    Raises:
        JobError: There is one, which the message names.
        SourceError: The file cannot be read.
    """
    if container.longest_pause is None:
        return False
    with open_container(path) as original:
        video = picture_stream(original, path)
        others = [stream for stream in original.streams if stream.type in _COPIED]
        others = [stream for stream in others if _unit(stream)]
        limits = {stream.index: container.longest_pause * _unit(stream) for stream in others}
        limits[video.index] = container.longest_pause * (container.unit or info.time_base)
        reordered = reordered_s(info.time_base) if container.is_mp4 else limits[video.index]
        length = Fraction(original.duration or 0, av.time_base)
        if length and length < min(reordered, *limits.values()):
            return False
        in_order = False
        zero = Fraction(original.start_time or 0, av.time_base)
        streams = [video, *others]
        packets = Parts(original, video).all(packets_of(original, streams, lambda: None), video)
        for index, before, after in _pauses(window.packets(packets, streams), window.end):
            in_order |= index == video.index and after - before > reordered
            if after - before > limits[index]:
                limit = clock_text(Fraction(int(limits[index])))
                raise JobError(
                    f"{path} jumps from {clock_text(before - zero)} to {clock_text(after - zero)}, "
                    f"and {container.name} takes pauses of {limit} at most; name the output .mkv, "
                    "or clean what is before and behind with --end and --start"
                )
        return in_order


def _pauses(
    packets: Iterable[Packet[Stream]], end: Fraction | None
) -> Iterator[tuple[int, Fraction, Fraction]]:
    """Give the index of a stream and the times of two neighbours in it, in seconds.

    Behind the last packet of a stream the time at which it ends counts as a neighbour.

    Args:
        packets: In decoding order.
        end: Where everything ends at the latest.
    """
    waiting: defaultdict[int, list[Fraction]] = defaultdict(list)  # heaps: packets are reordered
    ends: dict[int, Fraction] = {}
    for packet in packets:
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            continue
        index, unit = packet.stream.index, exact(packet.time_base)
        heapq.heappush(waiting[index], stamp * unit)
        ends[index] = max(ends.get(index, stamp * unit), (stamp + (packet.duration or 0)) * unit)
        if len(waiting[index]) > REORDERED:
            yield index, heapq.heappop(waiting[index]), waiting[index][0]
    for index, times in waiting.items():
        last = ends[index] if end is None else max(max(times), min(end, ends[index]))
        for before, after in itertools.pairwise([*sorted(times), last]):
            yield index, before, after


def _unit(stream: Stream) -> Fraction:
    """Return the seconds in which MP4 counts the time of a copied stream; 0 where none are set."""
    if isinstance(stream, AudioStream) and stream.codec_context and stream.rate:
        return Fraction(1, stream.rate)
    return exact(stream.time_base)
