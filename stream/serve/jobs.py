"""Uploaded videos: received, checked, cleaned one after the other, kept for a while, deleted.

Each lies in a folder of its own. The names there are ours: nothing that a client says becomes a
part of a path. A job that the server's end cuts short goes on at the next start, behind its last
finished segment. Jobs live on the event loop; cleaning and previews have a thread each.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from stream.capture.file import FileSource
from stream.errors import DeblurError, JobError
from stream.inference.deblurrers import AUTO, Choice, Deblurrers
from stream.inference.shared import SharedDeblurrer
from stream.jobs import CleanOptions, CleanResult, clean_file
from stream.jobs.lock import Lock, Locked
from stream.serve.job import STATES, Job, Record, shown_name
from stream.serve.limits import Limits
from stream.serve.look import LookedAt, write_preview
from stream.serve.upload import TooMuchError, look_at, receive

_log = logging.getLogger(__name__)

_LOCK = "lock"


class Jobs:
    """All uploaded videos.

    Args:
        shared: What computes.
        models: What it computes with.
        limits: What a client may ask for.
        folder: Where they lie, and are found again by the next server; None takes a temporary one,
            which `close` deletes.

    Raises:
        JobError: The folder cannot be used, or another server uses it.
    """

    def __init__(
        self,
        shared: SharedDeblurrer,
        models: Deblurrers,
        limits: Limits,
        folder: Path | None = None,
    ) -> None:
        self._shared = shared
        self._models = models
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._lock = _locked(folder) if folder else None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="deblur-"))  # for this user alone
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="cleaning")
        self._previews = ThreadPoolExecutor(1, thread_name_prefix="preview")
        self._making: set[asyncio.Task[None]] = set()
        self._pixels_per_s: float | None = None  # of the last job, cameras beside it included

    def __getitem__(self, name: str) -> Job:
        return self._jobs[name]

    def states(self) -> dict[str, int]:
        """How many jobs are in each state."""
        found = Counter(job.state for job in self._jobs.values())
        return {state: found[state] for state in STATES}

    def start(self) -> None:
        """Take up what an earlier server has left; called once the event loop runs."""
        found = []
        for folder in self._folder.iterdir():
            if not folder.is_dir():
                continue
            record = Record.read(folder / "job.json")
            if record and record.ended and record.ended + self._limits.keep_s > time.time():
                self._jobs[folder.name] = Job(folder, record)
                self._expire_later(self._jobs[folder.name])
            elif record and record.ended is None:
                found.append(Job(folder, record))
            else:  # an upload that broke off, or one that has had its time
                shutil.rmtree(folder, ignore_errors=True)
        for job in sorted(found, key=lambda job: job.known.received):
            self._jobs[job.name] = job
            self._queue(job)

    async def add(self, chunks: AsyncIterator[bytes], file: str, choice: Choice) -> Job:
        """Receive a video and queue it for cleaning.

        Raises:
            TooMuchError: It, or one more job, is beyond the limits.
            TooSlowError: It does not get on.
            DeblurError: It is no video.
            OSError: It cannot be kept.
        """
        async with self._added() as job:
            await receive(job.source, chunks, self._limits)
            video = await asyncio.to_thread(look_at, job.source, self._limits)
            job.record = Record(shown_name(file), video, choice.model, choice.strength, time.time())
        return job

    async def again(self, before: Job, choice: Choice) -> Job:
        """Clean the same video once more, as ``choice`` says.

        Raises:
            TooMuchError: One more job is beyond the limits.
            OSError: It cannot be kept.
        """
        async with self._added() as job:
            os.link(before.source, job.source)
            known = before.known
            job.record = Record(known.file, known.video, choice.model, choice.strength, time.time())
        return job

    @asynccontextmanager
    async def _added(self) -> AsyncIterator[Job]:
        """A new job whose record the block makes: queued after it, gone where it fails."""
        job = self._new()
        try:
            yield job
            job.known.write(job.record_path)
        except BaseException:
            await self.remove(job.name)
            raise
        self._queue(job)

    def make_preview(self, job: Job) -> None:
        """Begin with what every browser plays, unless that has begun."""
        if job.state != "done" or job.preview not in ("none", "failed"):
            return
        job.preview = "making"
        task = asyncio.create_task(self._make_preview(job))
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    def report(self, job: Job) -> dict[str, Any]:
        """JSON-ready: the job's own, and how long it has to wait for its turn."""
        ahead = []
        if job.state == "waiting":
            for other in self._jobs.values():
                if other is job:
                    break
                if other.state in ("waiting", "cleaning"):
                    ahead.append(other)
        waits = [self._time_left_s(other) for other in ahead]
        wait_s = None if None in waits else sum(wait or 0 for wait in waits)
        return job.report() | {"ahead": len(ahead), "wait_s": wait_s}

    async def remove(self, name: str) -> None:
        """Cancel a job and delete its files, if it is still there; returns when they are gone."""
        job = self._jobs.get(name)
        if job is None:
            return
        await self._stop(job)
        if self._jobs.pop(name, None):
            await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    async def close(self) -> None:
        """End the work and the threads; what was uploaded stays, where the folder does."""
        jobs = list(self._jobs.values())
        await asyncio.gather(*(self._stop(job) for job in jobs))
        if self._making:
            await asyncio.wait(self._making)
        self._worker.shutdown()
        self._previews.shutdown()
        if self._lock:
            self._lock.release()
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _new(self) -> Job:
        if len(self._jobs) >= self._limits.jobs:
            raise TooMuchError("too many videos are here already; try again in a while")
        job = Job(Job.new_folder(self._folder))
        self._jobs[job.name] = job
        return job

    async def _stop(self, job: Job) -> None:
        job.stopped = True
        if job.work:
            job.work.cancel()  # it may wait behind another for hours
        if job.task:
            await asyncio.wait([job.task])

    def _queue(self, job: Job) -> None:
        job.task = asyncio.create_task(self._clean(job))

    async def _clean(self, job: Job) -> None:
        try:
            job.work = self._worker.submit(self._work, job)
            result = await asyncio.wrap_future(job.work)
            warnings = tuple(_our_words(warning, job) for warning in result.warnings)
            job.end("done", warnings=warnings)
        except asyncio.CancelledError:
            if not job.work or not job.work.cancelled():
                raise
        except DeblurError as error:
            if not job.stopped:  # else it is deleted, or goes on when the server is back
                job.end("failed", error=_our_words(str(error), job))
        except Exception:  # of the engine, or a mistake of ours: the job ends, the server goes on
            _log.exception("a video could not be cleaned")
            job.end("failed", error="the server failed; its log says more")
        self._expire_later(job)

    def _work(self, job: Job) -> CleanResult:
        job.known.state = "cleaning"
        if job.known.model == AUTO:
            job.change(model=self._model_for(job))
        result = clean_file(
            job.source,
            job.target,
            LookedAt(self._shared, self._models, job.choice, job.looks),
            CleanOptions(max_pixels=self._limits.video_pixels, overwrite=True),
            on_progress=lambda stats: job.progress(stats, self._limits),
            model=self._models.identity(job.choice),
        )
        if result.stats.fps:
            video = job.known.video
            self._pixels_per_s = result.stats.fps * video.width * video.height
        return result

    def _model_for(self, job: Job) -> str:
        """The name of the model for a video whose owner leaves that open."""
        stream = self._shared.open(live=False)

        def speed(name: str) -> float:
            self._models.model(name, look_ahead=True)  # is loaded here: frames of others go on
            return stream.run(lambda: self._models.speed(name)).result()

        try:
            with closing(FileSource(job.source, max_pixels=self._limits.video_pixels)) as source:
                return self._models.choose_for(source.info, speed)
        finally:
            stream.close()

    async def _make_preview(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(
                self._previews,
                write_preview,
                job.source,
                job.target,
                job.preview_path,
                lambda: job.stopped,
            )
            job.preview = "done" if job.preview_path.exists() else "failed"
        except Exception:
            _log.exception("a preview could not be made")
            job.preview = "failed"

    def _time_left_s(self, job: Job) -> float | None:
        """Estimate of one that waits or is in work; None where nothing is known yet."""
        if job.state == "cleaning" and job.stats.time_left_s is not None:
            return job.stats.time_left_s
        video = job.known.video
        if self._pixels_per_s is None or video.frames is None:
            return None
        return video.frames * video.width * video.height / self._pixels_per_s

    def _expire_later(self, job: Job) -> None:
        if (ended := job.known.ended) is not None:
            left_s = max(0.0, ended + self._limits.keep_s - time.time())
            asyncio.get_running_loop().call_later(left_s, self._expire, job)

    def _expire(self, job: Job) -> None:
        job.stopped = True
        if self._jobs.pop(job.name, None):
            shutil.rmtree(job.folder, ignore_errors=True)


def _locked(folder: Path) -> Lock:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Lock(folder / _LOCK)
    except Locked as error:
        raise JobError(f"another deblur serve uses {folder}; name another --folder") from error
    except OSError as error:
        raise JobError(f"{folder} cannot be used ({error.strerror}); name another") from error


def _our_words(text: str, job: Job) -> str:
    """Without names of files that only the server knows."""
    text = text.replace(str(job.source), "the video")
    return text.replace(f"{job.folder}/", "")
