"""Makes the final file: cleaned video from segments, and everything else as the source has it.

Nothing is encoded here. Sound, subtitles, attachments and further videos are copied packet by
packet, chapters and metadata as they are; what the target's container cannot hold is left out
and named. Time is exact: the video's pts come from its segments, the others' from the source.
"""

from __future__ import annotations

import contextlib
import heapq
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from stream.capture.boxes import Value, add_to_film, camera_boxes, keys_of, read_moov
from stream.capture.container import open_container, packets_of
from stream.capture.facts import FileFacts, chapter_facts, codec_of, facts_of, streams_of
from stream.capture.film import is_cover, picture_stream
from stream.capture.parts import Parts
from stream.capture.side_data import not_carried_of
from stream.containers import GIF, M2TS, MKV, MOV, TS, Container, container_of
from stream.frame import StreamInfo
from stream.jobs.beside_pixels import (
    OF_EACH_PICTURE,
    BesidePixels,
    lost_of_stills,
    lost_of_video,
    read_stills,
    same_place,
    still_container,
    tells_resolution,
)
from stream.jobs.edits import PREROLL_S, played
from stream.jobs.excerpt import WHOLE, TimeRange, clock_text
from stream.jobs.losses import Count, Expected, is_pause, losses, lost_tags, read_finished
from stream.jobs.plan import shift_in_segments
from stream.jobs.reel import Reel
from stream.jobs.retime import Clock
from stream.jobs.steady import even_rate, steady_rate
from stream.output.muxer import hides, open_muxer, write_error
from stream.pyav import exact, open_input

# Tags that the muxer writes itself, or that are true of the source's file only.
_STALE_TAGS = (
    *("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "ENCODER"),
    *("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_"),
)
_IMAGES = {"png": "png", "mjpeg": "jpeg", "gif": "gif", "bmp": "bmp", "webp": "webp"}
_GIF_HEADER = 13  # bytes, without a palette for all pictures, which is not written


def join(
    segments: Sequence[Path],
    source: Path,
    target: Path,
    info: StreamInfo,
    window: TimeRange = WHOLE,
    *,
    reorder: int,
    end: int,
    shown_as: Path | None = None,
    stills: str = "",
) -> list[str]:
    """Write ``target`` from cleaned ``segments``, in order, and the rest of ``source``.

    Args:
        segments: Videos of one encoding, each later than the one before.
        source: Where all the rest is copied from.
        target: Its suffix names the container.
        info: The source's video, or the part of it that is in the segments.
        window: The part of the rest that is copied.
        reorder: How many places pictures are decoded before they are shown, at most.
        end: The pts at which the last picture of the source ends.
        shown_as: How errors name the target.
        stills: The suffix of the files of one picture that the target will be taken apart into;
            they hold what each of the source's says beside its pixels, and nothing else.

    Returns:
        One warning for each thing of the source that is not in the target.

    Raises:
        SinkError: The target could not be written.
        SourceError: The source cannot be read any more.
        JobError: The segments do not fit together.
    """
    try:
        with ExitStack() as stack:
            original = stack.enter_context(open_container(source))
            last = (end + shift_in_segments(info)) * info.time_base
            reel = stack.enter_context(contextlib.closing(Reel(segments, reorder, last)))
            container = container_of(target)
            muxer = open_muxer(target, container, info)
            stack.enter_context(_completed(muxer))
            video = picture_stream(original, source)
            before = facts_of(original, source)
            expected = Expected()
            beside = BesidePixels(source, info, window) if stills else None
            warnings = _write(
                reel,
                original,
                source,
                video,
                muxer,
                container,
                before,
                info,
                window,
                expected,
                beside,
            )
    except (av.FFmpegError, OSError) as error:
        raise write_error(shown_as or target, error) from error
    if stills:
        warnings += lost_of_stills(target, source, info, window)
        info = replace(info, not_carried=tuple(set(info.not_carried) - OF_EACH_PICTURE))
        finished = read_stills(target, stills)
        if tells_resolution(source, info):  # which was compared
            info = replace(info, sample_aspect_ratio=finished.info.sample_aspect_ratio)
        return warnings + losses(before, info, expected, finished, still_container(stills))
    return warnings + _read_back(target, source, before, info, expected, container)


def _read_back(
    target: Path,
    source: Path,
    before: FileFacts,
    info: StreamInfo,
    expected: Expected,
    container: Container,
) -> list[str]:
    """Read the finished file, write what its muxer left out where we can, and name the rest."""
    finished = read_finished(target)
    if container.is_mp4 and _complete_mp4(target, source, before, finished.facts):
        finished = read_finished(target)
    return losses(before, info, expected, finished, container)


def _complete_mp4(target: Path, source: Path, before: FileFacts, after: FileFacts) -> bool:
    """Write the tags that FFmpeg's muxer has no place for; returns whether there were any.

    Its own way, ``use_metadata_tags``, would hide the ordinary ones from other programs.
    """
    film = read_moov(source) if source.is_file() else None
    given = {key.lower(): (key, value) for key, value in keys_of(film).items()} if film else {}
    values = dict(
        given.get(key, (key, Value.of(text))) for key, text in lost_tags(before, after).items()
    )
    written = read_moov(target)
    there = [box.data for box in camera_boxes(written)] if written else []
    boxes = [box for box in (camera_boxes(film) if film else []) if box.data not in there]
    add_to_film(target, values, boxes)
    return bool(values or boxes)


def _write(
    reel: Reel,
    original: InputContainer,
    source: Path,
    pictures: VideoStream,
    target: OutputContainer,
    container: Container,
    before: FileFacts,
    info: StreamInfo,
    window: TimeRange,
    expected: Expected,
    beside: BesidePixels | None,
) -> list[str]:
    video: Stream | None = None
    named = {stream.index: str(stream) for stream in before.streams}
    codecs = {stream.index: stream.codec for stream in before.streams}
    copies: dict[int, Stream] = {}
    warnings = []
    for stream in original.streams:
        if stream.discard is Discard.all:
            continue  # the text track of MP4's chapters; the chapters themselves are copied
        if stream.type == "data" and "timecode" in stream.metadata:
            continue  # the muxer makes this track anew from the video's tag of that name
        if stream.index == pictures.index:
            video = copy = _add_video(target, container, reel, source, info)
        elif beside:
            warnings.append(f"{named[stream.index]} cannot be kept in still pictures, left out")
            continue
        elif (kind := _attachable(stream)) and container.attachments:
            copy = _attach(target, stream, kind)
        elif _holds(container, stream, info, codecs[stream.index]):
            copies[stream.index] = copy = target.add_stream_from_template(stream, opaque=True)
            if isinstance(stream, VideoStream):
                _keep_pixel_shape(copy, exact(stream.sample_aspect_ratio))
                _state_rate(copy, container, None)
                if not is_cover(stream):
                    film, other = named[pictures.index], named[stream.index]
                    warnings.append(f"{other} is copied as it is; {film} is cleaned")
        else:
            advice = _advice(container, stream, info, codecs[stream.index])
            warnings.append(
                f"{named[stream.index]} cannot be kept in {container.name}, left out{advice}"
            )
            continue
        copy.metadata.update(_lasting(stream.metadata))
        copy.disposition = stream.disposition
        expected.streams.append(stream.index)
    target.metadata.update({**before.programs, **_lasting(original.metadata)})
    shift = window.shift(info)
    if container.is_mp4 and window.start is None:
        shift += _hidden_s(original, copies, shift)
    chapters = window.chapters(original.chapters(), shift)
    expected.chapters = tuple(map(chapter_facts, chapters))
    target.set_chapters(chapters)
    target.start_encoding()  # fixes the time bases of the streams

    damaged: list[str] = []
    expected.counts = {index: Count() for index in (pictures.index, *copies)}
    moved = _video_shift(container, info, shift)
    both = (
        _video(reel, container, video or pictures, moved, expected.counts[pictures.index], beside),
        _others(
            *(original, pictures, copies, window, shift, damaged, expected),
            hiding=container.is_mp4,
            stills=beside is not None,
        ),
    )
    for packet in heapq.merge(*both, key=_decode_time):
        target.mux(packet)
    return warnings + damaged


def _add_video(
    target: OutputContainer, container: Container, reel: Reel, source: Path, info: StreamInfo
) -> Stream:
    stream = target.add_stream_from_template(reel.template, opaque=True)
    if container.steady:
        _annex_b(reel.template, stream)
        stream.time_base = 1 / steady_rate(source)
    elif isinstance(stream, VideoStream) and container.is_mp4:
        if tag := _tag(reel.template):
            stream.codec_context.codec_tag = tag
        # they count a timecode in it, and take 1 / time base for it where it is missing
        rate = info.frame_rate or Fraction(0)
        stream.codec_context.framerate = rate if 1 <= rate <= 255 else Fraction(25)
    elif container.is_matroska:
        _state_rate(stream, container, even_rate(reel.times(), info.frame_rate))
    _keep_pixel_shape(stream, info.sample_aspect_ratio)
    return stream


def _state_rate(stream: Stream, container: Container, rate: Fraction | None) -> None:
    """Tell Matroska the duration of frames, or that it varies; FFmpeg would say a tick."""
    if isinstance(stream, VideoStream) and container.is_matroska:
        stream.codec_context.framerate = rate or Fraction(0)


def _annex_b(video: Stream, target: Stream | None = None) -> BitStreamFilterContext | None:
    """What brings H.264 from the form of MP4 into that of AVI, packets and parameter sets."""
    if codec_of(video) != "h264":
        return None
    return BitStreamFilterContext("h264_mp4toannexb", video, target)


def _video_shift(container: Container, info: StreamInfo, shift: Fraction) -> Fraction:
    """Seconds added to what the segments hold, where a negative start has been moved already."""
    moved = shift_in_segments(info) * info.time_base
    if container.steady:  # it begins at 0, and would fill up what is missing
        return -info.start_pts * info.time_base - moved
    return shift - moved


def _hidden_s(original: InputContainer, copies: Iterable[int], shift: Fraction) -> Fraction:
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


def _one_gif(packets: Iterator[Packet[Stream]]) -> Iterator[Packet[Stream]]:
    """FFmpeg puts the file's header into the first packet; a file of many segments has one."""
    for number, packet in enumerate(packets):
        data = bytes(packet)
        if number and data.startswith(b"GIF8"):
            packet = same_place(packet, data[_GIF_HEADER:])
        yield packet


def _video(
    reel: Reel,
    container: Container,
    target: Stream,
    shift: Fraction,
    count: Count,
    beside: BesidePixels | None,
) -> Iterator[Packet[Stream]]:
    clock = Clock(target, shift)
    packets = reel.packets()
    if container.steady and (annex_b := _annex_b(reel.template)):
        packets = (part for packet in packets for part in annex_b.filter(packet))
    if container is GIF:
        packets = _one_gif(packets)
    if beside:
        packets = beside.put_into(packets, shift)
    for packet in packets:
        count.add(packet, shift)
        yield clock.retime(packet)


def _others(
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


def _decode_time(packet: Packet[Stream]) -> float:
    return float(packet.dts * exact(packet.time_base)) if packet.dts is not None else 0.0


def _holds(container: Container, stream: Stream, info: StreamInfo, tag: str) -> bool:
    """Whether the target's container takes this stream; it is asked, in memory."""
    file = io.BytesIO()
    trial = open_muxer(file, container, info)
    try:
        copy = trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
        if stream.type == "data" and container.is_mp4:
            return tag in _described_data(trial, copy, file)
        return not hides(trial, copy, file)
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError, OSError):
            trial.close()


def _advice(container: Container, stream: Stream, info: StreamInfo, tag: str) -> str:
    """The container that keeps a stream, in words; each is asked."""
    if stream.type == "data" and not codec_of(stream):
        return ""  # MPEG-TS takes it, but not what it is
    others = (one for one in (MKV, MOV, TS, M2TS) if one is not container)
    keeping = next((one for one in others if _holds(one, stream, info, tag)), None)
    return f"; {keeping.suffixes[0]} keeps it" if keeping else ""


def _described_data(trial: OutputContainer, stream: Stream, file: io.BytesIO) -> list[str]:
    """What a trial with a stream of data reads as: MOV takes what it can't describe, too."""
    packet: Packet[Stream] = Packet(bytes(64))
    packet.stream, packet.pts, packet.dts = stream, 0, 0
    trial.mux(packet)
    trial.close()
    file.seek(0)
    with open_input(file) as written:
        return [described.codec for described in streams_of(written)]


def _attachable(stream: Stream) -> str | None:
    """The type of image that cover art is, for Matroska, which keeps it as an attachment."""
    cover = bool(stream.disposition & Disposition.attached_pic)
    return _IMAGES.get(codec_of(stream)) if cover else None


def _attach(target: OutputContainer, stream: Stream, kind: str) -> Stream:
    with open_container(Path(stream.container.name.removeprefix("file:"))) as again:
        packets = again.demux(again.streams[stream.index])
        image = next((bytes(packet) for packet in packets if packet.size), b"")
    name = stream.metadata.get("filename", f"cover.{kind}")
    return target.add_attachment(name, f"image/{kind}", image)


def _tag(video: Stream) -> str | None:
    """The four letters for MP4 and MOV where FFmpeg's choice is not what players look for."""
    if codec_of(video) == "prores" and video.codec_context:
        return video.codec_context.codec_tag  # there are six kinds; it would name the first
    return "hvc1" if codec_of(video) == "hevc" else None  # Apple's players show no hev1


def _keep_pixel_shape(stream: Stream, ratio: Fraction | None) -> None:
    """Demuxers tell it of the stream, muxers want it with the codec's parameters."""
    if isinstance(stream, VideoStream) and ratio:
        stream.codec_context.sample_aspect_ratio = ratio


@contextlib.contextmanager
def _completed(container: OutputContainer) -> Iterator[None]:
    """Write the trailer; after a failure too, to free the file, but let the first error stand."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(av.FFmpegError, OSError):
            container.close()
        raise
    container.close()


def _lasting(tags: dict[str, str]) -> dict[str, str]:
    return {key: text for key, text in tags.items() if not key.upper().startswith(_STALE_TAGS)}
