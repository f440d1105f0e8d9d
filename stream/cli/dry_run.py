"""`deblur clean --dry-run`: what would be done to each video, and what it would cost, in words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from stream.cli.errors import in_one_line
from stream.cli.report import duration_text, size_text
from stream.frame import StreamInfo
from stream.jobs import Forecast, Task
from stream.output.partial import require_free
from stream.stills import is_there, size_of


def dry_run(
    tasks: Sequence[Task],
    forecast: Callable[[Task], Forecast],
    *,
    batch: bool,
    overwrite: bool,
    debug: bool,
) -> tuple[bool, list[dict[str, Any]]]:
    """Tell of every task what would become of it.

    Args:
        tasks: Of `tasks_of`.
        forecast: Tries one.
        batch: Whether one that fails does not stop the rest, and folders would be made.
        overwrite: Whether outputs may be there already.
        debug: Whether errors are to be raised all the same.

    Raises:
        Exception: The first failure, where it is no batch or for debugging.

    Returns:
        Whether none would fail, and the same for a report.
    """
    good, entries = True, []
    for task in tasks:
        entry: dict[str, Any] = {"input": str(task.source), "output": str(task.target)}
        entries.append(entry)
        if not batch:
            require_free(task.target, overwrite=overwrite)
        elif is_there(task.target) and not overwrite:
            print(f"{task.target}: exists, would be skipped")
            entry["result"] = "skipped"
            continue
        try:
            found = forecast(task)
        except BrokenPipeError:
            raise
        except Exception as error:
            if debug or not batch:
                raise
            good, message = False, in_one_line(error, task.source)
            print(f"deblur: {message}", file=sys.stderr)
            entry |= {"result": "failed", "error": message}
        else:
            print(_text(task, found))
            entry |= {"result": "planned"} | _report(found)
    total = _total(entries) if batch else ""
    print(f"{total}nothing was written")
    return good, entries


def _text(task: Task, found: Forecast) -> str:
    info, output = found.plan.info, found.plan.output
    encoding = found.plan.encoding
    flags = ", ".join(
        f"{name} {encoding.flags[name]}" for name in ("crf", "preset") if name in encoding.flags
    )
    frames = "?" if info.frames_estimate is None else info.frames_estimate
    lasting = "" if info.duration_s is None else f", {duration_text(info.duration_s)}"
    lines = [
        f"{task.source} -> {task.target}",
        f"  video    {frames} frames{lasting}, {_picture(info)} {info.codec}",
        f"  becomes  {_picture(output)} by {encoding.encoder}" + (f" ({flags})" if flags else ""),
        f"  copied   {', '.join(found.copied) or 'nothing: there is only video'}",
        *(f"  warning  {warning}" for warning in found.warnings),
        f"  work     {_work(found)}",
        f"  about    {_cost(task, found)}",
    ]
    return "\n".join(lines)


def _picture(info: StreamInfo) -> str:
    return f"{info.width}x{info.height} {info.pixel_format}"


def _work(found: Forecast) -> str:
    segments = "segments of 15 s" if found.segments is None else f"{found.segments} segments"
    if found.segments == 1:
        segments = "1 segment"
    if not found.frames_finished:
        return segments
    return f"{segments}; {found.frames_finished} frames are finished by an earlier run"


def _cost(task: Task, found: Forecast) -> str:
    tried = f"{found.fps:.1f} fps, judged by {found.frames_tried} from the middle"
    if found.time_s is None or found.size is None:
        return f"{tried}; the length of the video is not known"
    before = size_text(size_of(task.source))
    return f"{duration_text(found.time_s)} and {size_text(found.size)} (before: {before}); {tried}"


def _report(found: Forecast) -> dict[str, Any]:
    """JSON-ready."""
    return {
        "frames": found.plan.info.frames_estimate,
        "frames_finished": found.frames_finished,
        "segments": found.segments,
        "encoder": found.plan.encoding.encoder,
        "copied": list(found.copied),
        "warnings": list(found.warnings),
        "fps": round(found.fps, 3),
        "time_s": None if found.time_s is None else round(found.time_s, 1),
        "size": found.size,
    }


def _total(entries: Sequence[dict[str, Any]]) -> str:
    planned = [entry for entry in entries if entry["result"] == "planned"]
    time_s = sum(entry["time_s"] or 0 for entry in planned)
    size = sum(entry["size"] or 0 for entry in planned)
    return f"{len(planned)} videos: about {duration_text(time_s)} and {size_text(size)}; "
