"""What is finished of a job, in a file that survives a crash: one line of JSON for each fact.

A line is on the disk before the next step is taken. A line that a crash cut short is as good as
none: it is cut off before anything is added. Segments may be finished in any order, and once more
where their file was lost.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.jobs.reader import Mark
from stream.output.muxer import write_error
from stream.output.partial import sync
from stream.stats import RunStats

Identity = dict[str, str]
"""What a job depends on, by name, as texts that are equal where that is the same."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished segment.

    Attributes:
        name: Of its file.
        size: In bytes.
        digest: Of its content: see `digest_of`.
        reorder: See `stream.jobs.reel.reorder_depth`.
        before: Marks of the last pictures of the source before it.
        marks: Of the last ones up to its end.
        next_pts: Of the picture behind it, or None where the source ends.
        end: The pts at which its last picture ends.
        frames: How many pictures it holds.
    """

    name: str
    size: int
    digest: str
    reorder: int
    before: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    next_pts: int | None
    end: int
    frames: int


@dataclass(frozen=True, slots=True)
class Joined:
    """The whole video, about to get its name.

    Attributes:
        file: By which it is known again under another name: see `file_id`.
        warnings: What is missing in it.
    """

    file: tuple[int, ...]
    warnings: tuple[str, ...]


class Journal:
    """The facts in one file; adding one raises SinkError where it cannot be written.

    Args:
        path: Read if it is there.
        whole: Whether a segment is still there as it was written; if not, it is unfinished again.

    Attributes:
        total: The counts of all finished segments. Kept in sum, because those of one take 27 KB.
    """

    def __init__(self, path: Path, whole: Callable[[Segment], bool] = lambda segment: True) -> None:
        self.identity: Identity | None = None
        self.joined: Joined | None = None
        self.total = RunStats()
        self._segments: dict[str, Segment] = {}
        self._digests: dict[str, str] = {}
        self._path = path
        self._whole = whole
        self._length = 0
        if path.exists():
            self._read()

    @property
    def segments(self) -> list[Segment]:
        """Those that are finished, in order of time."""
        return sorted(self._segments.values(), key=lambda segment: segment.marks[-1])

    def find(self, name: str) -> Segment | None:
        """The finished segment of this name, if it is."""
        return self._segments.get(name)

    def digest_before(self, name: str) -> str | None:
        """Return the digest of the segment of this name as it was last made, if it ever was."""
        return self._digests.get(name)

    def begin(self, identity: Identity) -> None:
        """Start the journal of a job."""
        self.identity = identity
        self._add("identity", identity)
        sync(self._path.parent)

    def add(self, segment: Segment, stats: RunStats) -> None:
        """Note a segment that is whole and on the disk, and how it went, burn-in not counted."""
        saved = stats.saved()
        self._add("segment", dataclasses.asdict(segment) | {"stats": saved})
        self.joined = None
        self._count(segment, saved)

    def drop(self, segments: Iterable[Segment]) -> None:
        """Note that segments are unfinished again."""
        self._add("dropped", [segment.name for segment in segments])
        self.joined, self.total = None, RunStats()
        self._segments, self._length = {}, 0
        self._read()

    def add_joined(self, joined: Joined) -> None:
        """Note that a file is the outcome."""
        self._add("joined", dataclasses.asdict(joined))
        self.joined = joined

    def _read(self) -> None:
        """Take the lines up to the first that is none; the last one of a segment counts."""
        made: dict[str, tuple[Segment, dict[str, Any]]] = {}
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                self._take(json.loads(line), made)
            except (ValueError, KeyError, TypeError, AttributeError):
                break
            self._length += len(line)
        for segment, saved in made.values():
            if self._whole(segment):
                self._count(segment, saved)
            else:
                self._digests[segment.name] = segment.digest

    def _take(self, fact: dict[str, Any], made: dict[str, tuple[Segment, dict[str, Any]]]) -> None:
        ((kind, value),) = fact.items()
        if kind == "identity":
            self.identity = value
        elif kind == "segment":
            saved = value.pop("stats")
            before, marks = (
                tuple(Mark(*mark) for mark in value.pop(name)) for name in ("before", "marks")
            )
            segment = Segment(before=before, marks=marks, **value)
            made[segment.name] = segment, saved
            self.joined = None
        elif kind == "dropped":
            for name in value:
                made.pop(name, None)
            self.joined = None
        elif kind == "joined":
            self.joined = Joined(tuple(value["file"]), tuple(value["warnings"]))

    def _count(self, segment: Segment, saved: dict[str, Any]) -> None:
        self._digests[segment.name] = segment.digest
        if segment.name not in self._segments:
            self._segments[segment.name] = segment
            self.total.merge(saved)

    def _add(self, kind: str, value: Any) -> None:
        line = json.dumps({kind: value}).encode() + b"\n"
        try:
            with self._path.open("r+b" if self._path.exists() else "xb") as file:
                file.truncate(self._length)
                file.seek(self._length)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # no fact that was not told
                os.truncate(self._path, self._length)
            raise write_error(self._path, error) from error
        self._length += len(line)


def digest_of(path: Path) -> str:
    """Return what is equal for equal contents of a file, and for others is not."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_id(path: Path) -> tuple[int, ...]:
    """What a file keeps when it is renamed, and no other file has."""
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
