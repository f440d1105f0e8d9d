"""The packets of a finished file: those of the pictures from segments, all others from the source.

They come in the time of the finished file. Nothing is decoded; what is in the pictures' own packets
and can't be kept is noted on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from stream.capture.container import packets_of
from stream.capture.facts import codec_of
from stream.capture.parts import Parts
from stream.capture.side_data import not_carried_of
from stream.containers import GIF, Container
from stream.frame import StreamInfo
from stream.jobs.beside_pixels import (
    BesidePixels,
    lost_of_video,
    same_place,
)
from stream.jobs.edits import PREROLL_S, played
from stream.jobs.excerpt import TimeRange, clock_text
from stream.jobs.joined_streams import annex_b
from stream.jobs.losses import Count, Expected, is_pause
from stream.jobs.plan import shift_in_segments
from stream.jobs.reel import Reel
from stream.jobs.retime import Clock
from stream.pyav import exact

_GIF_HEADER = 13  # bytes, without a palette for all pictures, which is not written


def video_shift(container: Container, info: StreamInfo, shift: Fraction) -> Fraction:
    """Seconds added to what the segments hold, where a negative start has been moved already."""
    moved = shift_in_segments(info) * info.time_base
    if container.steady:  # it begins at 0, and would fill up what is missing
        return -info.start_pts * info.time_base - moved
    return shift - moved


def hidden_s(original: InputContainer, copies: Iterable[int], shift: Fraction) -> Fraction:
    """Return how much of the sound MP4's edit lists would hide, as if a decoder needed it first.

    Args:
        original: The source.
        copies: The indexes of the streams that are copied.
        shift: Seconds by which the source moves otherwise.
    """
    begin = min(
        (
            (stream.start_time or 0) * exact(stream.time_base)
            for stream in map(original.streams.__getitem__, copies)
            if stream.type == "audio"
        ),
        default=-shift,
    )
    early = -(begin + shift)
    return early if early > PREROLL_S else Fraction(0)


def video_packets(
    reel: Reel,
    container: Container,
    target: Stream,
    shift: Fraction,
    count: Count,
    beside: BesidePixels | None,
) -> Iterator[Packet[Stream]]:
    """Give the packets of the pictures.

    Args:
        reel: The segments.
        container: Of the finished file.
        target: Its stream of pictures.
        shift: Seconds added to what the segments hold; see `video_shift`.
        count: Learns what is given.
        beside: What still pictures say beside their pixels; None for a film.
    """
    clock = Clock(target, shift)
    packets = reel.packets()
    if container.steady and (filtering := annex_b(reel.template)):
        packets = (part for packet in packets for part in filtering.filter(packet))
    if container is GIF:
        packets = _one_gif(packets)
    if beside:
        packets = beside.put_into(packets, shift)
    for packet in packets:
        count.add(packet, shift)
        yield clock.retime(packet)


def _one_gif(packets: Iterator[Packet[Stream]]) -> Iterator[Packet[Stream]]:
    """FFmpeg puts the file's header into the first packet; a file of many segments has one."""
    for number, packet in enumerate(packets):
        data = bytes(packet)
        if number and data.startswith(b"GIF8"):
            packet = same_place(packet, data[_GIF_HEADER:])
        yield packet


def other_packets(
    original: InputContainer,
    pictures: VideoStream,
    copies: dict[int, Stream],
    window: TimeRange,
    shift: Fraction,
    damaged: list[str],
    expected: Expected,
    *,
    hiding: bool,
    stills: bool,
) -> Iterator[Packet[Stream]]:
    """Give the packets to copy, and look into those of the pictures for what is lost there."""
    clocks = {index: Clock(copy, shift) for index, copy in copies.items()}
    name = original.name.removeprefix("file:")
    warning = f"{name} is damaged; sound or subtitles may be missing there"
    streams = [original.streams[index] for index in copies]
    parts = Parts(original, pictures)
    packets = packets_of(
        original, [pictures, *streams], lambda: damaged.extend([warning] * bool(copies))
    )
    moved = _looked_into(parts.all(packets, pictures), pictures, expected.late, stills=stills)
    for packet in window.packets(played(moved, hiding=hiding), streams):
        if is_pause(packet):
            continue  # the muxer writes its own between texts
        expected.counts[packet.stream.index].add(packet, shift)
        yield clocks[packet.stream.index].retime(packet)
    zero = Fraction(original.start_time or 0, av.time_base)
    damaged += [
        f"{name}: its clock begins anew at {clock_text(begin - zero)}; all that follows was moved "
        "behind what came before"
        for begin in parts.begin_s
    ]


def _looked_into(
    packets: Iterator[Packet[Stream]], pictures: Stream, late: set[str], *, stills: bool
) -> Iterator[Packet[Stream]]:
    """Pass on all but the pictures, of which ``late`` learns what can't be kept.

    Still pictures keep what theirs say, and are asked for it when they are written.
    """
    codec = codec_of(pictures)
    for packet in packets:
        if packet.stream.index == pictures.index:
            late |= not_carried_of(packet, codec)
            late |= set() if stills else lost_of_video(packet)
        else:
            yield packet


def decode_time(packet: Packet[Stream]) -> float:
    """Return when a packet is decoded, in seconds; 0 where nothing tells."""
    return float(packet.dts * exact(packet.time_base)) if packet.dts is not None else 0.0
