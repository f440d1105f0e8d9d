"""What the outcome of a job depends on, so that nothing is taken for what it is not."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from pathlib import Path

import av

from stream.errors import OpenError
from stream.jobs.excerpt import TimeRange
from stream.jobs.journal import Identity
from stream.jobs.plan import Plan
from stream.stills import Stills

_PARTS = 16
_PART_BYTES = 1 << 16


def identity_of(source: Path, plan: Plan, window: TimeRange, model: str, target: Path) -> Identity:
    """The identity of a job.

    Args:
        source: The video.
        plan: Of its segments.
        window: The part of it that is wanted.
        model: Anything that is equal for equal processors.
        target: Its suffix names the container.

    Raises:
        OpenError: The source cannot be read.
    """
    options = {
        "encoder": plan.encoding.encoder,
        "pixel format": plan.encoding.pixel_format,
        "flags": plan.encoding.flags,
        "segments": [plan.format_name, plan.span, plan.burn_in, str(plan.clock)],
        "container": target.suffix.lower(),
        "window": [str(window.start), str(window.end)],
        "view": plan.view and plan.view.value,
    }
    return {
        "input": fingerprint(source),
        "model": model,
        "options": json.dumps(options, sort_keys=True),
        "program version": f"{_version()}, PyAV {av.__version__}, {av.ffmpeg_version_info}",
    }


def fingerprint(path: Path) -> str:
    """Size, time of change and a hash of parts spread over the file.

    Raises:
        OpenError: It cannot be read.
    """
    if stills := Stills.at(path):
        return _fingerprint_of(stills)
    try:
        found = path.stat()
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for part in range(_PARTS):
                file.seek(max(0, found.st_size - _PART_BYTES) * part // (_PARTS - 1))
                digest.update(file.read(_PART_BYTES))
    except OSError as error:
        raise OpenError(f"{path} cannot be read ({error.strerror})") from error
    return f"{found.st_size} {found.st_mtime_ns} {digest.hexdigest()}"


def _fingerprint_of(stills: Stills) -> str:
    digest = hashlib.sha256(str(stills.rate).encode())
    files = stills.files()
    for path in files.values():
        found = path.stat()
        digest.update(f"{path.name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return f"{len(files)} {digest.hexdigest()}"


def _version() -> str:
    try:
        return importlib.metadata.version("deblurstream")
    except importlib.metadata.PackageNotFoundError:
        return "source"
