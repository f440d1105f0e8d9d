"""`deblur clean`: recorded videos, deblurred, with everything else as it was."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream.cli.arguments import add_compute, add_model, strength, time
from stream.cli.quiet import load_tensorflow
from stream.cli.report import ProgressLine, duration_text, write_json
from stream.errors import OpenError
from stream.jobs import (
    CleanOptions,
    CleanResult,
    Excerpt,
    Layout,
    Outcome,
    Task,
    clean_all,
    clean_file,
    is_batch,
    middle_of,
    tasks_of,
)
from stream.output.encoder import EncoderOptions

if TYPE_CHECKING:
    from stream.inference.deblurrer import Deblurrer

PREVIEW_S = Fraction(5)
"""Seconds that a preview shows."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.epilog = "A run that was interrupted goes on where it stopped when it is started again."
    parser.add_argument(
        "input", type=Path, nargs="+", metavar="INPUT", help="a blurred video, or a folder of them"
    )
    parser.add_argument(
        "output",
        type=Path,
        metavar="OUTPUT",
        help="where the sharp one goes; for a folder or several inputs, a folder",
    )
    add_model(parser)
    add_compute(parser)
    parser.add_argument("--codec", metavar="NAME", help="encoder (default: the input's codec)")
    parser.add_argument("--crf", type=int, metavar="N", help="quality: lower is better and larger")
    parser.add_argument("--preset", metavar="NAME", help="the encoder's trade of time for size")
    parser.add_argument(
        "--strength",
        type=strength,
        default=1.0,
        metavar="X",
        help="how much to correct, 0 to 1.5: 0 changes no pixel (default: 1)",
    )
    parser.add_argument("--start", type=time, metavar="TIME", help="begin there: 90, 1:30.5, ...")
    parser.add_argument("--end", type=time, metavar="TIME", help="end there")
    parser.add_argument(
        "--compare", choices=("side", "split"), help="show before and after in one picture"
    )
    parser.add_argument(
        "--preview", action="store_true", help="a few seconds from the middle, before | after"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument(
        "--no-resume", action="store_true", help="start afresh, not where an earlier run stopped"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write counts and timings")


def run(options: argparse.Namespace) -> int:
    """Clean one video, or several; report counts and timings if asked."""
    tasks = tasks_of(options.input, options.output)
    if is_batch(options.input):
        return _run_all(tasks, options)
    if not tasks[0].source.exists():  # before TensorFlow's seconds of loading
        raise OpenError(f"{tasks[0].source} does not exist")
    cleaner = _Cleaner(options)
    result = cleaner.clean(tasks[0])
    if options.report:
        write_json(options.report, cleaner.report(result))
    return 0


def _run_all(tasks: Sequence[Task], options: argparse.Namespace) -> int:
    cleaner = _Cleaner(options)
    if options.overwrite or not all(task.target.exists() for task in tasks):
        cleaner.load()
    outcomes, entries = [], []
    for outcome in clean_all(tasks, cleaner.clean, overwrite=options.overwrite):
        task, entry = outcome.task, {}
        if outcome.error:
            if options.debug:
                raise outcome.error
            message = " ".join(str(outcome.error).split())
            print(f"deblur: {message}", file=sys.stderr)
            entry = {"error": message}
        elif outcome.result:
            entry = cleaner.report(outcome.result)
        else:
            print(f"{task.target}: exists, skipped")
        outcomes.append(outcome)
        names = {"input": str(task.source), "output": str(task.target), "result": outcome.word}
        entries.append(names | entry)
    print(_table(outcomes))
    if options.report:
        write_json(options.report, {"videos": entries})
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _table(outcomes: Sequence[Outcome]) -> str:
    """One line for each video, and a last one that counts them."""
    lines = [f"{'':8}{'frames':>8}{'time':>9}{'fps':>8}"]
    for outcome in outcomes:
        figures = ""
        if outcome.result:
            stats = outcome.result.stats
            time = duration_text(stats.duration_s)
            figures = f"{stats.frames_out:8}{time:>9}{stats.fps:8.1f}"
        lines.append(f"{outcome.word:8}{figures:25}  {outcome.task.target}")
    counts = Counter(outcome.word for outcome in outcomes)
    parts = [f"{counts[word]} {word}" for word in ("done", "skipped", "failed") if counts[word]]
    return "\n".join([*lines, f"{len(outcomes)} videos: {', '.join(parts)}"])


class _Cleaner:
    """Cleans videos with one model, which is loaded once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._resets: Counter[Any] = Counter()

    def load(self) -> None:
        """Load the model now."""
        _ = self._deblurrer

    @cached_property
    def _deblurrer(self) -> Deblurrer:
        load_tensorflow()
        from stream.inference.deblurrer import Deblurrer

        options = self._options
        return Deblurrer(
            options.model,
            device=options.device,
            precision=options.precision,
            strength=options.strength,
        )

    def clean(self, task: Task) -> CleanResult:
        """Clean one video, and say how it went."""
        options = self._options
        self._resets = Counter(self._deblurrer.resets)
        progress = ProgressLine()
        try:
            result = clean_file(
                task.source,
                task.target,
                self._deblurrer,
                CleanOptions(
                    EncoderOptions(options.codec, options.crf, options.preset),
                    overwrite=options.overwrite,
                    resume=not options.no_resume,
                    excerpt=self._excerpt(task.source),
                    layout=self._layout(),
                ),
                on_progress=progress,
                model=self._deblurrer.identity,
                on_message=lambda message: print(f"deblur: {message}", file=sys.stderr),
            )
        finally:
            progress.close()
        for warning in result.warnings:
            print(f"deblur: warning: {warning}", file=sys.stderr)
        stats = result.stats
        print(
            f"{task.target}: {stats.frames_out} frames in {duration_text(stats.duration_s)} "
            f"({stats.fps:.1f} fps)"
        )
        return result

    def _excerpt(self, source: Path) -> Excerpt:
        start, end = self._options.start, self._options.end
        if self._options.preview:
            if start is None and end is None:
                return middle_of(source, PREVIEW_S)
            start = max(Fraction(0), end - PREVIEW_S) if start is None else start
            end = start + PREVIEW_S if end is None else end
        return Excerpt(start, end)

    def _layout(self) -> Layout | None:
        options = self._options
        return Layout(options.compare or "side") if options.compare or options.preview else None

    def report(self, result: CleanResult) -> dict[str, Any]:
        """JSON-ready, of the video that was just cleaned."""
        deblurrer = self._deblurrer
        resets = Counter(deblurrer.resets) - self._resets
        return result.stats.report() | {
            "model": deblurrer.name,
            "precision": deblurrer.compute.precision,
            "device": deblurrer.compute.device,
            "resets": {reason.value: count for reason, count in resets.items()},
        }
