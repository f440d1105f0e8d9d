"""`deblur clean`: recorded videos, deblurred, with everything else as it was."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from stream.cli.arguments import Options, add_compute, add_model, share, strength, time
from stream.cli.dry_run import dry_run
from stream.cli.quiet import load_tensorflow
from stream.cli.report import ProgressLine, duration_text, size_text, write_json
from stream.errors import JobError
from stream.jobs import (
    CleanOptions,
    CleanResult,
    Cluster,
    Excerpt,
    Forecast,
    Made,
    Outcome,
    Task,
    View,
    check,
    clean_all,
    clean_file,
    forecast,
    is_batch,
    middle_of,
    tasks_of,
)
from stream.output.encoder import EncoderOptions
from stream.stages import Processor
from stream.stills import is_there, size_of

PREVIEW_S = Fraction(5)
"""Seconds that a preview shows."""


EXAMPLES = """\
examples:
  deblur clean holiday.mp4 sharp.mp4
  deblur clean --preview holiday.mp4 look.mp4      5 s from its middle, before | after
  deblur clean --start 1:30 --end 2:00 holiday.mp4 part.mp4
  deblur clean tapes/ more.mov cleaned/            all videos of a folder, and one more
  deblur clean --pattern '*.mov' tapes/ cleaned/

Sound, subtitles, chapters, metadata, colours and the time of every frame are kept. OUTPUT appears
when it is whole; a run that was cut short goes on where it stopped when it is started again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.usage = "%(prog)s [options] INPUT... OUTPUT"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "input",
        type=Path,
        nargs="+",
        metavar="INPUT",
        help="a video, a folder of videos, or numbered pictures: 'shot_%%04d.png'",
    )
    parser.add_argument(
        "output",
        type=Path,
        metavar="OUTPUT",
        help="the file to make, whose ending names its container: .mp4, .mov, .mkv, .webm, ...; "
        "for several videos a folder, which gets the same tree",
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


def _add_cleaning(group: Options) -> None:
    add_model(group)
    group.add_argument(
        "--strength",
        type=strength,
        default=1.0,
        metavar="X",
        help="how much to correct, 0 to 1.5: 0 changes no pixel (default: 1)",
    )
    add_compute(group)


def _add_encoding(group: Options) -> None:
    group.add_argument(
        "--codec", metavar="NAME", help="h264, hevc, vp9, ... (default: the input's codec)"
    )
    group.add_argument(
        "--crf",
        type=int,
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


def run(options: argparse.Namespace) -> int:
    """Clean one video, or several; report counts and timings if asked."""
    tasks = tasks_of(options.input, options.output, options.pattern)
    with closing(_Cleaner(options, tasks)) as cleaner:
        if not is_batch(options.input):
            cleaner.check(tasks[0])
        return _run(tasks, cleaner, options)


def _run(tasks: Sequence[Task], cleaner: _Cleaner, options: argparse.Namespace) -> int:
    if options.dry_run:
        good, entries = dry_run(
            tasks,
            cleaner.forecast,
            batch=is_batch(options.input),
            overwrite=options.overwrite,
            debug=options.debug,
        )
        if options.report:
            write_json(options.report, {"videos": entries})
        return 0 if good else 1
    if is_batch(options.input):
        return _run_all(tasks, cleaner, options)
    result = cleaner.clean(tasks[0])
    print(_summary(tasks[0], result))
    if options.report:
        write_json(options.report, cleaner.report(result))
    return 0


def _run_all(tasks: Sequence[Task], cleaner: _Cleaner, options: argparse.Namespace) -> int:
    if options.overwrite or not all(is_there(task.target) for task in tasks):
        cleaner.load()
    outcomes, entries = [], []
    try:
        for outcome in clean_all(tasks, cleaner.clean, overwrite=options.overwrite):
            outcomes.append(outcome)
            task, entry = outcome.task, {}
            if outcome.error:
                if options.debug:
                    raise outcome.error
                message = " ".join(str(outcome.error).split())
                print(f"deblur: {message}", file=sys.stderr)
                entry = {"error": message}
            elif outcome.result:
                entry = cleaner.report(outcome.result)
                print(_summary(task, outcome.result))
            names = {"input": str(task.source), "output": str(task.target), "result": outcome.word}
            entries.append(names | entry)
    finally:  # whatever ended it, what was done is told
        print(_table(outcomes, len(tasks)))
    if options.report:
        write_json(options.report, {"videos": entries})
    return 1 if any(outcome.error for outcome in outcomes) else 0


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
    words = ("done", "skipped", "failed", "not begun")
    parts = [f"{counts[word]} {word}" for word in words if counts[word]]
    return "\n".join([*lines, f"{planned} videos: {', '.join(parts)}"])


class _Cleaner:
    """Cleans videos with one model, which is loaded once.

    Raises:
        DeblurError: The options do not go together.
    """

    def __init__(self, options: argparse.Namespace, tasks: Sequence[Task]) -> None:
        self._options = options
        self._tasks = tasks
        self._encoder = EncoderOptions(options.codec, options.crf, options.preset)
        self._excerpt = Excerpt(options.start, options.end)
        self._resets: Counter[Any] = Counter()
        self._stack = ExitStack()
        file = Path(options.model)
        self._make = partial(
            _deblurrer,
            str(file.absolute()) if file.is_file() else options.model,
            device=options.device,
            precision=options.precision,
            runtime=options.runtime,
            strength=options.strength,
        )
        if options.cluster and options.dry_run:
            raise JobError("--dry-run tells of this machine; leave out --cluster")

    def close(self) -> None:
        """Let go of the cluster, if there is one."""
        self._stack.close()

    def load(self) -> None:
        """Load the model now."""
        _ = self._worker

    @cached_property
    def _made(self) -> Made:
        """The model, here."""
        with closing(ProgressLine(self._options.model)) as line:
            line.say("loading")
            return self._make()

    @cached_property
    def _worker(self) -> tuple[Processor | Cluster, str, dict[str, str]]:
        """What cleans, its identity, and what to report of it."""
        options = self._options
        if not options.cluster:
            return self._made
        with closing(ProgressLine(options.model)) as line:
            line.say("loading on the cluster")
            gpu_share = 0.0 if options.device == "cpu" else options.gpu_share
            cluster = Cluster(options.cluster, self._make, gpu_share=gpu_share)
            return (self._stack.enter_context(cluster), *cluster.made)

    def check(self, task: Task) -> None:
        """Let what cannot be done fail now, not after TensorFlow's seconds of loading."""
        check(task.source, task.target, self._choice(task))

    def clean(self, task: Task) -> CleanResult:
        """Clean one video, and say what is to be known of it."""
        choice = self._choice(task)
        worker, identity, _ = self._worker
        self._resets = self._resets_so_far()
        with closing(ProgressLine(self._name(task))) as progress:
            progress.say("warming up")
            result = clean_file(
                task.source,
                task.target,
                worker,
                choice,
                on_progress=progress,
                model=identity,
                on_message=lambda message: progress.note(f"deblur: {message}"),
            )
        for warning in result.warnings:
            print(f"deblur: warning: {warning}", file=sys.stderr)
        return result

    def _resets_so_far(self) -> Counter[Any]:
        """Of the model's state; a cluster does not tell."""
        return Counter(getattr(self._worker[0], "resets", {}))

    def forecast(self, task: Task) -> Forecast:
        """Find out what `clean` would do."""
        choice = self._choice(task)
        made = self._made
        with closing(ProgressLine(self._name(task))) as progress:
            progress.say("trying a few frames")
            return forecast(task.source, task.target, made.processor, choice, model=made.identity)

    def _choice(self, task: Task) -> CleanOptions:
        options = self._options
        view = options.compare or (View.SIDE if options.preview else None)
        return CleanOptions(
            self._encoder,
            overwrite=options.overwrite,
            resume=not options.no_resume,
            excerpt=self._previewed(task.source) if options.preview else self._excerpt,
            view=None if view is None else View(view),
        )

    def _previewed(self, source: Path) -> Excerpt:
        start, end = self._excerpt.start, self._excerpt.end
        if start is None and end is None:
            return middle_of(source, PREVIEW_S)
        if start is None:
            start = max(Fraction(0), (end or 0) - PREVIEW_S)
        return Excerpt(start, start + PREVIEW_S if end is None else end)

    def _name(self, task: Task) -> str:
        """What is worked on, and how far it is among the others."""
        name, count = task.source.name, len(self._tasks)
        return name if count == 1 else f"{self._tasks.index(task) + 1}/{count} {name}"

    def report(self, result: CleanResult) -> dict[str, Any]:
        """JSON-ready, of the video that was just cleaned."""
        resets = self._resets_so_far() - self._resets
        return (
            result.stats.report()
            | self._worker[2]
            | {"resets": {reason.value: count for reason, count in resets.items()}}
        )


def _deblurrer(model: str, **choices: Any) -> Made:
    """Load a model, here or on a worker of a cluster."""
    load_tensorflow()
    from stream.inference.deblurrer import Deblurrer

    deblurrer = Deblurrer(model, **choices)
    report = {
        "model": deblurrer.name,
        "precision": deblurrer.compute.precision,
        "device": deblurrer.compute.device,
    }
    return Made(deblurrer, deblurrer.identity, report)
