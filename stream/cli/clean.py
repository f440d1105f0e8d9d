"""`deblur clean`: recorded videos, deblurred, with everything else as it was."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from stream.cli.arguments import (
    OptionGroup,
    Options,
    add_compute,
    add_model,
    add_strength,
    share,
    time,
    whole_number,
)
from stream.cli.cleaner import PREVIEW_S, Cleaner
from stream.cli.dry_run import dry_run
from stream.cli.errors import in_one_line
from stream.cli.quality import PATIENCE, QUALITIES
from stream.cli.report import duration_text, make_folder, require_writable, size_text, write_json
from stream.errors import UsageError
from stream.inference.deblurrers import AUTO
from stream.jobs import CleanResult, Outcome, Task, View, clean_all, is_batch, tasks_of
from stream.stills import is_there, size_of
from stream.url import without_password

EXAMPLES = """\
examples:
  deblur clean holiday.mp4                         makes holiday.deblurred.mp4
  deblur clean holiday.mp4 sharp.mp4
  deblur clean --preview holiday.mp4 look.mp4      5 s from its middle, before | after
  deblur clean --start 1:30 --end 2:00 holiday.mp4 part.mp4
  deblur clean tapes/ more.mov cleaned/            all videos of a folder, and one more
  deblur clean --pattern '*.mov' tapes/ cleaned/

Sound, subtitles, chapters, metadata, colours and the time of every frame are kept. OUTPUT appears
when it is whole; a run that was cut short goes on where it stopped when it is started again.
"""


MADE = ".deblurred"
"""Stands before the ending of a file whose name was not given."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "%(prog)s [options] INPUT... [OUTPUT]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="INPUT... [OUTPUT]",
        help="a video, a folder of videos, or numbered pictures: 'shot_%%04d.png'; the last is the "
        "file to make, whose ending names its container: .mp4, .mov, .mkv, .webm, ...; for several "
        "videos a folder, which gets the same tree; a name that ends in / is a folder; after one "
        "video alone, its own name with .deblurred before the ending",
    )
    _add_view(parser.add_argument_group("what to see"))
    _add_cleaning(parser.add_argument_group("how to clean"))
    _add_encoding(parser.add_argument_group("how to encode"))
    _add_files(parser.add_argument_group("files and runs"))
    _add_cluster(parser.add_argument_group("several GPUs, several machines"))


def _add_view(group: Options) -> None:
    group.add_argument(
        "--start",
        type=time,
        metavar="TIME",
        help="begin with the first frame at this time: seconds, M:SS or H:MM:SS, with decimals",
    )
    group.add_argument(
        "--end", type=time, metavar="TIME", help="end before the first frame at this time"
    )
    group.add_argument(
        "--compare",
        choices=[view.value for view in View],
        help="show before and after in one picture: side by side, or as a split screen",
    )
    group.add_argument(
        "--preview",
        action="store_true",
        help=f"only {PREVIEW_S} s, from the middle or from --start on; "
        "side by side where --compare says no other",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="tell what would be done, how long it would take and how large OUTPUT would be; "
        "a few frames are tried, nothing is written",
    )


def _add_cleaning(group: OptionGroup) -> None:
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--quality",
        choices=[*QUALITIES],
        default=AUTO,
        help="fast, balanced or best; balanced, the default, is the better model unless this "
        f"machine would need more than {PATIENCE} times as long as the video lasts",
    )
    add_model(which, None)
    add_strength(group)
    add_compute(group)


def _add_encoding(group: Options) -> None:
    group.add_argument(
        "--codec",
        metavar="NAME",
        help="h264, hevc, vp9, ..., h264_nvenc, ... (default: the input's codec)",
    )
    group.add_argument(
        "--crf",
        type=whole_number,
        metavar="N",
        help="quality: lower is better and larger (default: looks like the input)",
    )
    group.add_argument("--preset", metavar="NAME", help="the encoder's trade of time for size")


def _add_files(group: Options) -> None:
    group.add_argument(
        "--pattern",
        metavar="GLOB",
        help="of the videos in folders only those with such a name: '*.mov', '2024/*'",
    )
    group.add_argument(
        "--overwrite", action="store_true", help="replace outputs that exist; otherwise they stay"
    )
    group.add_argument(
        "--no-resume", action="store_true", help="start afresh, not where an earlier run stopped"
    )
    group.add_argument(
        "--report", type=Path, metavar="FILE.json", help="write counts, timings and latency"
    )


def _add_cluster(group: Options) -> None:
    group.add_argument(
        "--cluster",
        type=_cluster,
        metavar="ADDRESS",
        help="have segments cleaned by Ray: HOST:PORT of its head, or auto for this machine",
    )
    group.add_argument(
        "--gpu-share",
        type=share,
        default=1.0,
        metavar="X",
        help="of a GPU for each segment, 1 or less (default: 1)",
    )


def _cluster(text: str) -> str:
    host, _, port = text.rpartition(":")
    if text != "auto" and not (host and port.isdecimal() and int(port) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor HOST:PORT")
    return text


def run(options: argparse.Namespace) -> int:
    """Clean one video, or several; report counts and timings if asked."""
    require_writable(options.report)
    inputs, name = _inputs_and_output(options.paths)
    output, batch = Path(name), is_batch(inputs)
    if not batch and name.endswith(("/", os.sep)) and not output.exists():
        if options.dry_run:
            batch = True  # in which a folder may be missing
        elif is_there(inputs[0]):
            make_folder(output)
        output /= inputs[0].name
    tasks = tasks_of(
        inputs,
        output,
        options.pattern,
        lambda message: print(f"deblur: {message}", file=sys.stderr),
    )
    with closing(Cleaner(options, tasks)) as cleaner:
        if not batch:
            cleaner.check(tasks[0])
        return _run(tasks, cleaner, options, batch=batch)


def _inputs_and_output(paths: Sequence[str]) -> tuple[list[Path], str]:
    """What to clean, and where to: beside it where one video alone is named."""
    for path in paths:
        if "://" in path:
            raise UsageError(
                f"{without_password(path)} is an address: clean takes and makes files, "
                "`deblur live` takes addresses"
            )
    inputs = [Path(path) for path in paths]
    if len(paths) > 1:
        return inputs[:-1], paths[-1]
    if inputs[0].is_dir():
        raise UsageError(f"{paths[0]} is a folder: name another for what is made of its videos")
    if not inputs[0].suffix:
        raise UsageError(f"{paths[0]} has no ending: name OUTPUT, too")
    beside = f"{inputs[0].stem}{MADE}{inputs[0].suffix}"
    return inputs, str(inputs[0].with_name(beside))


def _run(
    tasks: Sequence[Task], cleaner: Cleaner, options: argparse.Namespace, *, batch: bool
) -> int:
    if options.dry_run:
        good, entries = dry_run(
            tasks,
            cleaner.forecast,
            batch=batch,
            overwrite=options.overwrite,
            debug=options.debug,
        )
        if options.report:
            write_json(options.report, {"videos": entries})
        return 0 if good else 1
    if batch:
        return _run_all(tasks, cleaner, options)
    result = cleaner.clean(tasks[0])
    if options.report:
        write_json(options.report, cleaner.report(result))
    print(_summary(tasks[0], result))
    return 1 if result.stats.frames_missing else 0


def _run_all(tasks: Sequence[Task], cleaner: Cleaner, options: argparse.Namespace) -> int:
    if options.overwrite or not all(is_there(task.target) for task in tasks):
        cleaner.load()
    outcomes, entries = [], []
    try:
        for outcome in clean_all(tasks, cleaner.clean, overwrite=options.overwrite):
            outcomes.append(outcome)
            entries.append(_entry(outcome, cleaner))
            if outcome.error:
                if options.debug:
                    raise outcome.error
                print(f"deblur: {entries[-1]['error']}", file=sys.stderr)
            elif outcome.result:
                print(_summary(outcome.task, outcome.result))
    finally:  # whatever ended it, what was done is told
        if options.report:
            rest = [_planned(task, "not begun") for task in tasks[len(entries) :]]
            write_json(options.report, {"videos": entries + rest})
        print(_table(outcomes, len(tasks)))
    return 1 if any(outcome.word in ("failed", "cut off") for outcome in outcomes) else 0


def _entry(outcome: Outcome, cleaner: Cleaner) -> dict[str, Any]:
    """What a report says of a video."""
    entry = _planned(outcome.task, outcome.word)
    if outcome.error:
        return entry | {"error": in_one_line(outcome.error, outcome.task.source)}
    return entry | (cleaner.report(outcome.result) if outcome.result else {})


def _planned(task: Task, word: str) -> dict[str, Any]:
    return {"input": str(task.source), "output": str(task.target), "result": word}


def _summary(task: Task, result: CleanResult) -> str:
    """Two lines for people."""
    stats = result.stats
    before, after = (size_text(size_of(path)) for path in (task.source, task.target))
    return (
        f"{task.target}: {stats.frames_out} frames in {duration_text(stats.duration_s)}, "
        f"{stats.fps:.1f} fps\n"
        f"  {after}; {task.source} has {before}"
    )


def _table(outcomes: Sequence[Outcome], planned: int) -> str:
    """One line for each video, and a last one that counts them."""
    lines = [f"{'':8}{'frames':>8}{'time':>9}{'fps':>8}{'size':>9}"]
    for outcome in outcomes:
        figures = ""
        if outcome.result:
            stats, size = outcome.result.stats, size_of(outcome.task.target)
            time = duration_text(stats.duration_s)
            figures = f"{stats.frames_out:8}{time:>9}{stats.fps:8.1f}{size_text(size):>9}"
        lines.append(f"{outcome.word:8}{figures:34}  {outcome.task.target}")
    counts = Counter(outcome.word for outcome in outcomes)
    counts["not begun"] = planned - len(outcomes)
    words = ("done", "cut off", "skipped", "failed", "not begun")
    parts = [f"{counts[word]} {word}" for word in words if counts[word]]
    return "\n".join([*lines, f"{planned} videos: {', '.join(parts)}"])
