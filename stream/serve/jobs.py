"""Uploaded videos: received, checked, cleaned one after the other, kept for a while, deleted.

Each lies in a folder of its own under a private temporary one. The names there are ours: nothing
that a client says becomes a part of a path. Jobs live on the event loop; the cleaning itself runs
on one thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av

from stream.containers import MKV, MOV, MP4, TS, WEBM, of_demuxer
from stream.errors import DeblurError, JobError, OpenError
from stream.inference.shared import SharedDeblurrer, SharedProcessor
from stream.jobs import CleanResult, clean_file
from stream.pyav import open_input
from stream.serve.limits import Limits
from stream.stats import RunStats

_log = logging.getLogger(__name__)

# What a demuxer may be: none that opens further files or addresses, as playlists do.
_FORMATS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,gif"
_MADE = (MP4, MOV, MKV, WEBM, TS)


class TooMuchError(Exception):
    """Beyond a limit, which the message names."""


class Job:
    """One video, from its upload to its removal.

    Attributes:
        state: One of `STATES`.
        result: The clean video, where it is done.
    """

    STATES = ("uploading", "waiting", "cleaning", "done", "failed")

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_urlsafe(16)
        self.state = "uploading"
        self.error: str | None = None
        self.result: Path | None = None
        self.warnings: tuple[str, ...] = ()
        self.folder = folder
        self.source = folder / "input"
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None
        self.work: Future[CleanResult] | None = None
        self._stats = RunStats()

    def progress(self, stats: RunStats, limits: Limits) -> None:
        """Called on the cleaning thread after each frame; raises to end the work."""
        self._stats = stats
        if self.cancelled:
            raise JobError("cancelled")
        if stats.frames_in > limits.video_frames:
            raise JobError(f"the video is longer than the {limits.video_s:g} s allowed")

    def report(self) -> dict[str, Any]:
        """JSON-ready."""
        stats = self._stats
        return {
            "state": self.state,
            "error": self.error,
            "warnings": self.warnings,
            "frames_out": stats.frames_out,
            "frames_expected": stats.frames_expected,
            "fps": round(stats.fps, 2),
            "time_left_s": None if stats.time_left_s is None else round(stats.time_left_s, 1),
            "suffix": self.result.suffix if self.result else None,
        }


class Jobs:
    """All uploaded videos. `close` cancels and deletes them."""

    def __init__(self, shared: SharedDeblurrer, limits: Limits) -> None:
        self._shared = shared
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="deblur-"))  # for this user alone
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="cleaning")

    def __getitem__(self, name: str) -> Job:
        return self._jobs[name]

    def states(self) -> Counter[str]:
        """How many jobs are in each state."""
        return Counter(job.state for job in self._jobs.values())

    async def add(self, chunks: AsyncIterator[bytes]) -> Job:
        """Receive a video and queue it for cleaning.

        Raises:
            TooMuchError: It, or one more job, is beyond the limits.
            DeblurError: It is no video.
            OSError: It cannot be kept.
        """
        if len(self._jobs) >= self._limits.jobs:
            raise TooMuchError("too many videos are here already; try again in a while")
        job = Job(Path(tempfile.mkdtemp(dir=self._folder)))
        self._jobs[job.name] = job
        try:
            await self._receive(job, chunks)
            suffix = await asyncio.to_thread(_checked, job.source, self._limits)
        except BaseException:
            await self.remove(job.name)
            raise
        job.state = "waiting"
        job.task = asyncio.create_task(self._clean(job, job.folder / f"output{suffix}"))
        return job

    async def remove(self, name: str) -> None:
        """Cancel a job and delete its files, if it is still there; returns when they are gone."""
        job = self._jobs.get(name)
        if job is None:
            return
        job.cancelled = True
        if job.work:
            job.work.cancel()  # it may wait behind another for hours
        if job.task:
            await asyncio.wait([job.task])
        if self._jobs.pop(name, None):
            await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    async def close(self) -> None:
        """Cancel all jobs, end the thread and delete the folder."""
        await asyncio.gather(*(self.remove(name) for name in list(self._jobs)))
        self._worker.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _receive(self, job: Job, chunks: AsyncIterator[bytes]) -> None:
        size = 0
        try:
            with job.source.open("wb") as file:
                async with asyncio.timeout(self._limits.upload_s):
                    async for chunk in chunks:
                        size += len(chunk)
                        self.require_size(size)
                        await asyncio.to_thread(file.write, chunk)
        except TimeoutError as error:
            raise TooMuchError(f"the upload took over {self._limits.upload_s:g} s") from error

    def require_size(self, size: int) -> None:
        """Raise TooMuchError where a video of ``size`` bytes is beyond the limits."""
        if size > self._limits.upload_bytes:
            raise TooMuchError(f"a video may have {self._limits.upload_bytes >> 20} MiB")

    async def _clean(self, job: Job, target: Path) -> None:
        loop = asyncio.get_running_loop()
        try:
            job.work = self._worker.submit(self._work, job, target)
            result = await asyncio.wrap_future(job.work)
            job.result, job.warnings, job.state = target, _worded(result, job), "done"
        except asyncio.CancelledError:
            if not job.work or not job.work.cancelled():
                raise
            job.error, job.state = "cancelled", "failed"
        except DeblurError as error:
            job.error, job.state = _our_words(str(error), job), "failed"
        except Exception:  # of the engine, or a mistake of ours: the job ends, the server goes on
            _log.exception("a video could not be cleaned")
            job.error, job.state = "the server failed; its log says more", "failed"
        job.source.unlink(missing_ok=True)
        loop.call_later(self._limits.keep_s, self._expire, job.name)

    def _work(self, job: Job, target: Path) -> CleanResult:
        job.state = "cleaning"
        return clean_file(
            job.source,
            target,
            SharedProcessor(self._shared),
            on_progress=lambda stats: job.progress(stats, self._limits),
        )

    def _expire(self, name: str) -> None:
        if job := self._jobs.pop(name, None):
            shutil.rmtree(job.folder, ignore_errors=True)


def _checked(source: Path, limits: Limits) -> str:
    """The suffix of what is made of an upload; it is looked at without decoding a picture."""
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = open_input(f"file:{source}", options=options)
    except (av.FFmpegError, OSError) as error:
        raise OpenError("this is not a video of a known kind") from error
    with container:
        videos = [stream for stream in container.streams.video if stream.codec_context]
        if not videos:
            raise OpenError("there is no video in this file")
        if any(video.width * video.height > limits.video_pixels for video in videos):
            raise TooMuchError(f"a picture may have {limits.video_pixels / 1e6:.1f} megapixels")
        if container.duration and container.duration / av.time_base > limits.video_s:
            raise TooMuchError(f"a video may last {limits.video_s:g} s")
        codecs = {stream.codec_context.name for stream in container.streams if stream.codec_context}
        kind = of_demuxer(container.format.name)
        if kind is MKV and codecs <= WEBM.codecs:
            kind = WEBM
        if kind is MP4 and container.metadata.get("major_brand", "").strip() == "qt":
            kind = MOV
        return (kind if kind in _MADE else MKV).suffixes[0]


def _worded(result: CleanResult, job: Job) -> tuple[str, ...]:
    return tuple(_our_words(warning, job) for warning in result.warnings)


def _our_words(text: str, job: Job) -> str:
    """Without names of files that only the server knows."""
    text = text.replace(str(job.source), "the video")
    return text.replace(f"{job.folder}/", "")
