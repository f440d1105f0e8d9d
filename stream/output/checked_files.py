"""Files that FFmpeg writes through us. Its own writing forgets failures at the end of a fragment.

`test_a_disk_that_fills_up_at_any_moment_is_told` has the places where that was so.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO


class CheckedFiles:
    """Opens files for `av.open`, and remembers what went wrong with any of them.

    Nothing is raised inside FFmpeg: it would lose the error, or PyAV print it. What follows the
    first error is not written any more.
    """

    def __init__(self) -> None:
        self.error: OSError | None = None

    def open(self, url: str, flags: int = 0, options: dict[str, str] | None = None) -> CheckedFile:
        """Create a file, or empty it; the arguments are those of PyAV's ``io_open``.

        Raises:
            OSError: It cannot be.
        """
        return CheckedFile(Path(url.removeprefix("file:")).open("wb", buffering=0), self)

    def check(self) -> None:
        """Raise OSError if something could not be written."""
        if self.error:
            raise self.error


class CheckedFile:
    """One of them. Nothing is held back, so that what is written survives a kill."""

    def __init__(self, file: BinaryIO, owner: CheckedFiles) -> None:
        self._file = file
        self._owner = owner
        self.seek = file.seek
        self.tell = file.tell
        self.close = file.close

    def write(self, data: bytes) -> int:
        """Write all of ``data``, or let the owner know why not."""
        rest = memoryview(data)
        try:
            while rest and not self._owner.error:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._owner.error = error
        return len(data)
