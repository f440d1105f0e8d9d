"""One recorded video from input to output: the pipeline into segments, then the join.

Everything unfinished lies in one hidden folder beside the target, which goes away at the end,
whatever the end. Nothing appears at the target's name before it is whole.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stream.capture.file import FileSource
from stream.errors import JobError
from stream.frame import StreamInfo
from stream.jobs.join import join
from stream.output.encoder import EncoderOptions, Encoding, choose_encoding, refusal
from stream.output.file import VideoWriter
from stream.output.muxer import container_format
from stream.output.partial import require_free
from stream.pipeline import Pipeline
from stream.stages import Processor
from stream.stats import RunStats

# Both came back with every pts, dts and the last duration exactly, from every time base tried;
# NUT loses dts and durations, Matroska rounds to 1/1000 s. MOV is for ProRes.
_SEGMENT_FORMATS = ("mp4", "mov")


@dataclass(frozen=True, slots=True)
class CleanOptions:
    """What a user may choose about the output file."""

    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class CleanResult:
    """How it went, and what the user should know about the file."""

    stats: RunStats
    warnings: tuple[str, ...]


def clean_file(
    source: str | Path,
    target: str | Path,
    processor: Processor,
    options: CleanOptions | None = None,
    on_progress: Callable[[RunStats], None] | None = None,
) -> CleanResult:
    """Bring ``source`` through ``processor`` to ``target``, keeping all that is not a pixel.

    Call it from the main thread, so that Ctrl-C ends it cleanly.

    Args:
        source: A video file.
        target: Its suffix names the container.
        processor: Used for this one video, and closed.
        options: Codec, quality, whether to overwrite.
        on_progress: Called after each frame, on this thread.

    Raises:
        DeblurError: In one line what failed; the target is as it was before.
    """
    source, target, options = Path(source), Path(target), options or CleanOptions()
    _require_different(source, target)
    require_free(target, overwrite=options.overwrite)
    format_name = container_format(target)
    video = FileSource(source)
    try:
        encoding, warnings = choose_encoding(video.info, options.encoder, format_name)
        segment_format = _segment_format(video.info, encoding)
    except BaseException:
        video.close()
        raise
    with _workspace(target) as folder:
        segment = folder / f"00000.{segment_format}"
        writer = VideoWriter(
            segment, format_name=segment_format, encoding=encoding, shown_as=target
        )
        stats = Pipeline(video, processor, writer, on_progress=on_progress).run()
        warnings += join([segment], source, target, video.info, overwrite=options.overwrite)
    return CleanResult(stats, (*warnings, *_remarks(video.info, stats)))


def _require_different(source: Path, target: Path) -> None:
    if source.exists() and target.exists() and source.samefile(target):
        raise JobError(f"{target} is the input itself; choose another name for the output")


def _segment_format(info: StreamInfo, encoding: Encoding) -> str:
    for format_name in _SEGMENT_FORMATS:
        if refusal(info, encoding, format_name) is None:
            return format_name
    raise JobError(f"{encoding.encoder} cannot be written in segments; choose another --codec")


@contextlib.contextmanager
def _workspace(target: Path) -> Iterator[Path]:
    try:
        name = tempfile.mkdtemp(".partial", f".{target.name}.", target.parent)
    except OSError as error:
        raise JobError(f"{target.parent} cannot be written to ({error.strerror})") from error
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def _remarks(info: StreamInfo, stats: RunStats) -> list[str]:
    remarks = []
    if stats.decode_failures:
        remarks.append(
            f"{info.name}: {stats.decode_failures} damaged places; the picture before each was "
            "repeated, or the file ends there"
        )
    remarks += [f"{info.name}: its {words} cannot be kept" for words in info.not_carried]
    return remarks
