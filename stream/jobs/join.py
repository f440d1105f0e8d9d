"""Makes the final file: cleaned video from segments, and everything else as the source has it.

Nothing is encoded here. Sound, subtitles, attachments and further videos are copied packet by
packet, chapters and metadata as they are; what the target's container cannot hold is left out
and named. Time is exact: the video's pts come from its segments, the others' from the source.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from stream.capture.container import open_container
from stream.capture.facts import FileFacts, chapter_facts, facts_of
from stream.capture.film import is_cover, picture_stream
from stream.containers import Container, container_of
from stream.frame import StreamInfo
from stream.jobs.beside_pixels import (
    OF_EACH_PICTURE,
    BesidePixels,
    lost_of_stills,
    read_stills,
    still_container,
    tells_resolution,
)
from stream.jobs.excerpt import WHOLE, TimeRange
from stream.jobs.joined_packets import (
    decode_time,
    hidden_s,
    other_packets,
    video_packets,
    video_shift,
)
from stream.jobs.joined_streams import (
    add_video,
    advice_for,
    attach,
    attachable,
    holds,
    keep_pixel_shape,
    state_rate,
)
from stream.jobs.losses import Count, Expected, losses
from stream.jobs.plan import shift_in_segments
from stream.jobs.read_back import read_back
from stream.jobs.reel import Reel
from stream.output.muxer import open_muxer, write_error
from stream.pyav import exact

# Tags that the muxer writes itself, or that are true of the source's file only.
_STALE_TAGS = (
    *("MAJOR_BRAND", "MINOR_VERSION", "COMPATIBLE_BRANDS", "ENCODER"),
    *("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_"),
)


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
    return warnings + read_back(target, source, before, info, expected, container)


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
            video = copy = add_video(target, container, reel, source, info)
        elif beside:
            warnings.append(f"{named[stream.index]} cannot be kept in still pictures, left out")
            continue
        elif (kind := attachable(stream)) and container.attachments:
            copy = attach(target, stream, kind)
        elif holds(container, stream, info, codecs[stream.index]):
            copies[stream.index] = copy = target.add_stream_from_template(stream, opaque=True)
            if isinstance(stream, VideoStream):
                keep_pixel_shape(copy, exact(stream.sample_aspect_ratio))
                state_rate(copy, container, None)
                if not is_cover(stream):
                    film, other = named[pictures.index], named[stream.index]
                    warnings.append(f"{other} is copied as it is; {film} is cleaned")
        else:
            advice = advice_for(container, stream, info, codecs[stream.index])
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
        shift += hidden_s(original, copies, shift)
    chapters = window.chapters(original.chapters(), shift)
    expected.chapters = tuple(map(chapter_facts, chapters))
    target.set_chapters(chapters)
    target.start_encoding()  # fixes the time bases of the streams

    damaged: list[str] = []
    expected.counts = {index: Count() for index in (pictures.index, *copies)}
    moved = video_shift(container, info, shift)
    both = (
        video_packets(
            reel, container, video or pictures, moved, expected.counts[pictures.index], beside
        ),
        other_packets(
            *(original, pictures, copies, window, shift, damaged, expected),
            hiding=container.is_mp4,
            stills=beside is not None,
        ),
    )
    for packet in heapq.merge(*both, key=decode_time):
        target.mux(packet)
    return warnings + damaged


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
