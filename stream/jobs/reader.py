"""The pictures of a file from first to last, taken in pieces, and found again after a crash.

A search in a container is never trusted. What an earlier run saw last is known, picture by
picture, with its place in the file: time and pixels may both come twice, a place may not. Only
where the very same pictures come again does the reading go on behind them. Otherwise, as with no
index, a wrong one, or a clock that begins anew, the file is read from its start without decoding;
and where that does not lead there either, everything is decoded again and passed over, which is
slower and always right.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stream.capture.file import FileSource
from stream.errors import SourceError
from stream.frame import Discontinuity, Frame, StreamInfo
from stream.jobs.excerpt import WHOLE, TimeRange


class Mark(NamedTuple):
    """By what a picture is known again.

    Attributes:
        pts: Its own.
        checksum: The CRC-32 of its pixels.
        position: Of its packet in the file, in bytes; -1 where that is unknown.
    """

    pts: int
    checksum: int
    position: int


class _Read(NamedTuple):
    frame: Frame
    position: int


_DISTANCES_S = (1, 16, 128)
"""How far before the pictures that are looked for a search begins, in turn."""

_NEAR_S = 3
"""So far is read on rather than searched for."""


class Reader:
    """One pass through a video file.

    Args:
        path: The file.
        keep: How many of the last pictures to remember.
        window: The part that is wanted; of the pictures before it the last are remembered.
        max_pixels: See `FileSource`.

    Raises:
        OpenError: See `FileSource`.
    """

    def __init__(
        self,
        path: Path,
        keep: int,
        window: TimeRange = WHOLE,
        *,
        max_pixels: int | None = None,
    ) -> None:
        self._path = path
        self._max_pixels = max_pixels
        self._source = FileSource(path, max_pixels=max_pixels)
        start, end = window.pts(self.info.time_base)
        self._end = math.inf if end is None else end
        self._frames: Iterator[Frame] = self._source.frames()
        self._last: deque[_Read] = deque(maxlen=keep)
        self._next: _Read | None = None
        self._later: deque[_Read | None] = deque()  # read ahead of that; None is the end
        self._searchable = True  # as far as is known
        self._following: int | None = None  # pts of what comes next, wanted or not
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            if start is None:
                self._advance()
            else:
                self._go_to(start)
            stack.pop_all()

    @property
    def info(self) -> StreamInfo:
        """Of the video."""
        return self._source.info

    @property
    def decode_failures(self) -> int:
        """So far."""
        return self._source.decode_failures

    @property
    def frames_missing(self) -> int:
        """So far; see `FileSource`."""
        return self._source.frames_missing

    @property
    def next_pts(self) -> int | None:
        """Of the picture that comes next, or None at the end."""
        return None if self._next is None else self._next.frame.pts

    @property
    def end(self) -> int:
        """The pts at which the picture before the next one ends."""
        following = self._source.end if self._following is None else self._following
        return int(min(following, self._end))

    @property
    def position(self) -> int:
        """How many pictures came before the next one; 0 at the end."""
        return 0 if self._next is None else self._next.frame.index

    def coming(self, count: int) -> list[Frame]:
        """The frames that come next, which are not taken by that; fewer at the end."""
        while len(self._later) < count - 1 and None not in (self._next, *self._later):
            self._later.append(self._read())
        now = time.perf_counter()
        coming = itertools.islice((self._next, *self._later), count)
        return [
            read.frame.replace(captured_at=now) for read in coming if read and self._wanted(read)
        ]

    def last(self) -> list[Frame]:
        """The pictures before the next one, as the beginning of a stream."""
        now = time.perf_counter()
        frames = [read.frame.replace(captured_at=now) for read in self._last]
        return [frame.replace(discontinuity=Discontinuity.START) for frame in frames[:1]] + (
            frames[1:]
        )

    def marks(self) -> list[Mark]:
        """By which `go_behind` knows `last` again."""
        return [_mark(read) for read in self._last]

    def until(self, end: int) -> Iterator[Frame]:
        """The pictures that come next, up to the pts ``end``.

        Raises:
            DecodeError: See `FileSource.frames`.
        """
        while self._next is not None and self._next.frame.pts < end:
            self._last.append(self._next)
            yield self._next.frame
            self._advance()

    def pass_over(self, end: int) -> None:
        """Pass over the pictures up to the pts ``end``; raises as `until`."""
        deque(self.until(end), maxlen=0)

    def skip_to(self, start: int) -> None:
        """Go to the first picture at the pts ``start`` or later, by a search if it is far.

        The search is as good as the container's index: compare `marks` with what is known. Where
        it finds too little, everything is read.

        Raises:
            SourceError: The file cannot be read from its start either.
        """
        searched = False
        for distance_s in _DISTANCES_S[:2]:
            begin = start - round(distance_s / self.info.time_base)
            near = begin - round(_NEAR_S / self.info.time_base)
            if not self._searchable or (self._next and self._next.frame.pts >= near):
                break
            searched = True
            with contextlib.suppress(SourceError):
                self._source.search(begin)
                self._pass_to(start)
                if len(self._last) == self._last.maxlen:
                    return
        if not searched:
            self.pass_over(start)
            return
        self._searchable = False
        self._reopen()
        self._pass_to(start)

    def go_behind(self, marks: Sequence[Mark], count: int) -> bool:
        """Go to the picture behind ``marks``, the last of ``count`` pictures.

        Returns:
            Whether they were found.

        Raises:
            SourceError: The file cannot be read from its start either.
        """
        known = any(mark.position >= 0 for mark in marks)
        for go in (self._source.search, self._source.pass_to) if known else (self._source.pass_to,):
            with contextlib.suppress(SourceError):
                go(marks[0].pts)
                if self._found(marks, count):
                    return True
        self._reopen()
        return self._found(marks, count)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _reopen(self) -> None:
        self.close()
        self._source = FileSource(self._path, max_pixels=self._max_pixels)

    def _found(self, marks: Sequence[Mark], count: int) -> bool:
        self._begin()
        while read := self._read():
            if read.frame.pts < marks[0].pts:
                continue
            self._last.append(read)
            if len(self._last) == len(marks):
                break
        if self.marks() != list(marks):
            return False
        self._source.index = count
        self._advance()
        return True

    def _go_to(self, start: int) -> None:
        """Go to the first picture at ``start`` or later.

        A search is right where one that begins further back, with another picture, ends with the
        very same pictures.
        """
        source = self._source
        go: Callable[[int], None] = source.search if source.searchable else source.pass_to
        found: tuple[float, list[Mark]] | None = None
        for distance_s in _DISTANCES_S:
            pts = start - round(distance_s / self.info.time_base)
            if pts <= self.info.start_pts:
                break
            with contextlib.suppress(SourceError):
                go(pts)
                before, found = found, (self._pass_to(start), self.marks())
                if (
                    before
                    and before[0] != found[0]
                    and before[1] == found[1]
                    and len(found[1]) == self._last.maxlen
                ):
                    return
        self._reopen()
        self._pass_to(start)

    def _pass_to(self, start: int) -> float:
        """Remember the last pictures before ``start``; returns the pts of the first passed."""
        self._begin()
        self._advance()
        first = math.inf if self._next is None else self._next.frame.pts
        while self._next is not None and self._next.frame.pts < start:
            self._last.append(self._next)
            self._advance()
        return first

    def _advance(self) -> None:
        read = self._later.popleft() if self._later else self._read()
        self._following = None if read is None else read.frame.pts
        self._next = read if read and self._wanted(read) else None

    def _read(self) -> _Read | None:
        frame = next(self._frames, None)
        return None if frame is None else _Read(frame, self._source.position)

    def _wanted(self, read: _Read) -> bool:
        return read.frame.pts < self._end

    def _begin(self) -> None:
        """Forget what was read, and read from where the source is now."""
        self._frames = self._source.frames()
        self._last.clear()
        self._later.clear()


def _mark(read: _Read) -> Mark:
    checksum = 0
    for array in (*read.frame.planes.arrays, read.frame.alpha):
        if array is not None:
            checksum = zlib.crc32(array.data, checksum)
    return Mark(read.frame.pts, checksum, read.position)
