"""One uploaded video, in a folder of its own that outlives the server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.errors import JobError
from stream.inference.deblurrers import Choice
from stream.jobs import CleanResult
from stream.serve.limits import Limits
from stream.serve.look import Look
from stream.serve.upload import Video
from stream.stats import RunStats

STATES = ("uploading", "waiting", "cleaning", "done", "failed")

_ESTIMATE_AFTER_S = 30.0  # a job's first rate says little
_LONGEST_NAME = 200


@dataclass(slots=True)
class Record:
    """What is written down of a job, so that the next server knows it.

    Attributes:
        file: The name that its owner's file has; never a part of a path.
        video: What was uploaded.
        model: What cleans it.
        strength: How much.
        received: Seconds since 1970: jobs are cleaned in this order.
        state: One of `STATES`.
        error: Why it failed.
        warnings: What its owner should know.
        ended: Seconds since 1970, once it is done or has failed.
    """

    file: str
    video: Video
    model: str
    strength: float
    received: float
    state: str = "waiting"
    error: str | None = None
    warnings: tuple[str, ...] = ()
    ended: float | None = None

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Of a file; None where it holds none."""
        try:
            fields = json.loads(path.read_text())
            video = Video(**fields.pop("video"))
            return cls(video=video, **fields | {"warnings": tuple(fields["warnings"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Replace the file, whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(dataclasses.asdict(self)))
        partial.replace(path)


class Job:
    """A video from its upload to its removal. Lives on the event loop, but for `progress`.

    Args:
        folder: Its own; the name is the secret by which its owner asks for it.
        record: None while it is being uploaded.

    Attributes:
        looks: What the pictures are like just now.
        stopped: Set to end the work soon.
        preview: One of none, making, done, failed.
    """

    def __init__(self, folder: Path, record: Record | None = None) -> None:
        self.folder = folder
        self.record = record
        self.looks = Look()
        self.stopped = False
        self.task: asyncio.Task[None] | None = None
        self.work: Future[CleanResult] | None = None
        self.preview = "done" if self.preview_path.exists() else "none"
        self.stats = RunStats()

    @staticmethod
    def new_folder(parent: Path) -> Path:
        """An empty one whose name nobody guesses."""
        folder = parent / secrets.token_urlsafe(16)
        folder.mkdir(mode=0o700)
        return folder

    @property
    def name(self) -> str:
        """By which its owner asks for it."""
        return self.folder.name

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self.record.state if self.record else "uploading"

    @property
    def source(self) -> Path:
        """What was uploaded."""
        return self.folder / "input"

    @property
    def record_path(self) -> Path:
        """Where the record lies."""
        return self.folder / "job.json"

    @property
    def preview_path(self) -> Path:
        """What every browser plays: both pictures, the original above."""
        return self.folder / "preview.mp4"

    @property
    def target(self) -> Path:
        """The clean video."""
        return self.folder / f"output{self.known.video.suffix}"

    @property
    def known(self) -> Record:
        """The record of a job that has been uploaded."""
        if self.record is None:
            raise RuntimeError("the upload is not over")
        return self.record

    @property
    def choice(self) -> Choice:
        """How it is cleaned."""
        return Choice(self.known.model, self.known.strength)

    def change(self, **fields: Any) -> None:
        """Change the record, here and on the disk."""
        self.record = dataclasses.replace(self.known, **fields)
        self.record.write(self.record_path)

    def end(self, state: str, **fields: Any) -> None:
        """Note that there is nothing more to do."""
        self.looks = Look()
        self.change(state=state, ended=time.time(), **fields)

    def progress(self, stats: RunStats, limits: Limits) -> None:
        """Called on the cleaning thread after each frame; raises to end the work."""
        self.stats = stats
        if self.stopped:
            raise JobError("cancelled")
        if stats.frames_in > limits.video_frames:
            raise JobError(f"the video is longer than the {limits.video_s:g} s allowed")
        wanted_s = stats.duration_s
        if stats.duration_s > _ESTIMATE_AFTER_S:
            wanted_s += stats.time_left_s or 0
        if wanted_s > limits.work_s:
            raise JobError(
                f"cleaning it takes longer than the {_hours(limits.work_s)} that this server gives "
                "to one video: choose a lighter model, or cut the video"
            )

    def report(self) -> dict[str, Any]:
        """JSON-ready."""
        record, stats = self.record, self.stats
        if record is None:
            return {"state": "uploading"}
        return {
            "file": record.file,
            "state": record.state,
            "error": record.error,
            "warnings": record.warnings,
            "model": record.model,
            "strength": record.strength,
            "rate": record.video.rate,
            "frames_out": stats.frames_out,
            "frames_expected": stats.frames_expected or record.video.frames,
            "fps": round(stats.fps, 2),
            "time_left_s": None if stats.time_left_s is None else round(stats.time_left_s, 1),
            "look": self.looks.number,
            "preview": self.preview,
            "suffix": record.video.suffix if record.state == "done" else None,
        }


def shown_name(text: str) -> str:
    """A client's name of a file, fit to be shown and sent back."""
    printable = "".join(letter for letter in text if letter.isprintable())
    return printable.replace("\\", "/").rsplit("/", 1)[-1][:_LONGEST_NAME] or "video"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds:g} s"
