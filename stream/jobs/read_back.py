"""The finished file, read once more: what its muxer left out is written, the rest is named."""

from __future__ import annotations

from pathlib import Path

from stream.capture.boxes import Value, add_to_film, camera_boxes, keys_of, read_moov
from stream.capture.facts import FileFacts
from stream.containers import Container
from stream.frame import StreamInfo
from stream.jobs.losses import Expected, losses, lost_languages, lost_tags, read_finished


def read_back(
    target: Path,
    source: Path,
    before: FileFacts,
    info: StreamInfo,
    expected: Expected,
    container: Container,
) -> list[str]:
    """Read the finished file, write what its muxer left out where we can, and name the rest."""
    finished = read_finished(target)
    if container.is_mp4 and _complete_mp4(target, source, before, expected, finished.facts):
        finished = read_finished(target)
    return losses(before, info, expected, finished, container)


def _complete_mp4(
    target: Path, source: Path, before: FileFacts, expected: Expected, after: FileFacts
) -> bool:
    """Write tags and languages that FFmpeg's muxer leaves out; returns whether there were any.

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
    languages = lost_languages(before, expected, after)
    if not (values or boxes or languages):
        return False
    add_to_film(target, values, boxes, languages)
    return True
