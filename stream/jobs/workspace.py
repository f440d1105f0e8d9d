"""The hidden folder beside a target that holds what is finished of it until all is.

It belongs to one process at a time. It outlives a job that failed, if there is a finished segment
in it, and the next job of the same identity goes on from there; that of another removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from pathlib import Path
from types import TracebackType

from stream.errors import JobError
from stream.jobs.journal import Identity, Journal, Segment, digest_of, file_id
from stream.jobs.lock import Lock, Locked
from stream.output.muxer import write_error
from stream.output.partial import PartialFile, hidden_beside, require_free
from stream.stats import RunStats

_JOURNAL, _LOCK = "journal", "lock"


class Workspace:
    """A context: locked inside; afterwards kept if the work is worth it.

    Args:
        target: The file in the making.
        overwrite: Whether there may be one already.

    Raises:
        JobError: Another process works on this target, or the folder cannot be made.
        SinkError: The target is there already, or its folder is not.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        require_promising(target, overwrite=overwrite)
        self.folder = _folder_of(target)
        self.target = target
        self._overwrite = overwrite
        try:
            self._lock = self._locked()
            try:
                self.journal = Journal(self.folder / _JOURNAL)
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            raise JobError(f"{self.folder} cannot be used ({error.strerror})") from error

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None or not self.journal.segments:
                self._remove()
            else:
                self.keep_only(self.journal.segments)
        finally:
            self.release()

    def release(self) -> None:
        """Let others work on it, and leave it as it is."""
        self._lock.release()

    @property
    def done(self) -> bool:
        """Whether the target is what an earlier run made, and only the tidying was cut short."""
        joined = self.journal.joined
        if self._overwrite or joined is None or not self.target.exists():
            return False
        return joined.file == file_id(self.target)

    def adopt(self, identity: Identity) -> str | None:
        """Keep the finished segments if they are of this job, and as they were written.

        Returns:
            What was removed and why, if it was work.
        """
        before, finished = self.journal.identity, self.journal.segments
        if before == identity:
            changed: list[str] = []
            self.journal = Journal(self.folder / _JOURNAL, partial(self._whole, changed))
            self.keep_only(self.journal.segments)
            return self._said_of(changed) if changed else None
        self.begin(identity)
        if before is None or not finished:
            return None
        others = [name for name in identity if before.get(name) != identity[name]]
        return f"{self.target}: unfinished work of another {' and '.join(others)} was removed"

    def begin(self, identity: Identity) -> None:
        """Forget all that was finished, and start the journal of a job."""
        (self.folder / _JOURNAL).unlink(missing_ok=True)
        self.journal = Journal(self.folder / _JOURNAL)
        self.keep_only([])
        self.journal.begin(identity)

    def add(self, segment: Segment, stats: RunStats, raw: bytes | None = None) -> str | None:
        """Note a segment.

        Args:
            segment: What was made.
            stats: How it went.
            raw: Its file, where that was made elsewhere; None where it lies here.

        Returns:
            What is to be known if it was made before and came out otherwise.

        Raises:
            SinkError: It cannot be written, or not be noted.
        """
        if raw is not None:
            self._keep(segment.name, raw)
        before = self.journal.digest_before(segment.name)
        self.journal.add(segment, stats)
        if before in (None, segment.digest):
            return None
        return (
            f"warning: {self.target}: the segment {segment.name} was made once more and differs "
            "from what it was; this machine does not compute the same each time, please report it"
        )

    def _keep(self, name: str, raw: bytes) -> None:
        file = PartialFile(self.folder / name, overwrite=True)
        try:
            file.path.write_bytes(raw)
            file.commit()
        except OSError as error:
            raise write_error(self.target, error) from error
        finally:
            file.discard()

    def keep_only(self, segments: list[Segment]) -> None:
        """Remove what no journal speaks of."""
        known = {segment.name for segment in segments} | {_JOURNAL, _LOCK}
        for path in self.folder.iterdir():
            if path.name not in known:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _whole(self, changed: list[str], segment: Segment) -> bool:
        """Whether a segment's file is as it was written; the name of another one is noted."""
        path = self.folder / segment.name
        try:
            if path.stat().st_size == segment.size and digest_of(path) == segment.digest:
                return True
        except FileNotFoundError:
            return False
        except OSError:  # a disk that does not give back what it was given
            pass
        changed.append(segment.name)
        return False

    def _said_of(self, changed: list[str]) -> str:
        return (
            f"warning: {self.target}: finished segments are no longer as they were written and are "
            f"made again ({', '.join(changed)}); look to the disk"
        )

    def _locked(self) -> Lock:
        for _ in range(3):  # its last holder may be removing it
            self.folder.mkdir(exist_ok=True)
            with contextlib.suppress(Locked, FileNotFoundError):
                return Lock(self.folder / _LOCK)
        raise JobError(
            f"{self.target} is being written by another deblur; wait for it, or choose another name"
        )

    def _remove(self) -> None:
        """The journal late, so that at any moment it is known whether the target is whole."""
        self.keep_only([])
        with contextlib.suppress(OSError):
            (self.folder / _JOURNAL).unlink(missing_ok=True)
        if os.name == "nt":
            self._lock.release()  # it removes no open file
        shutil.rmtree(self.folder, ignore_errors=True)


def tidy(target: Path) -> None:
    """Remove what a job left that ended after its target was whole; anything else stays."""
    if not _folder_of(target).exists():
        return
    with contextlib.suppress(JobError):  # another process is at work on it
        work = Workspace(target, overwrite=False)
        try:
            if work.done or not work.journal.segments:
                with work:
                    return
        finally:
            work.release()


def frames_finished(target: Path, identity: Identity) -> int:
    """How many frames of this very job an earlier run has left finished; changes nothing."""
    journal = Journal(_folder_of(target) / _JOURNAL)
    return journal.total.frames_out if journal.identity == identity else 0


def require_promising(target: Path, *, overwrite: bool) -> None:
    """Check that the target is free, or may be what an earlier run made and did not tidy.

    Raises:
        SinkError: It is neither.
    """
    try:
        begun = _folder_of(target).exists()
    except OSError:
        begun = False
    if not begun:
        require_free(target, overwrite=overwrite)


def _folder_of(target: Path) -> Path:
    return hidden_beside(target, ".partial")
