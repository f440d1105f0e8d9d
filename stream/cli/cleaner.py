"""What one command line of `deblur clean` means for each of its videos; models are loaded once."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from models.registry import find_model
from models.runtimes import available_cores
from stream.capture.file import FileSource
from stream.cli.quality import QUALITIES, choose
from stream.cli.report import ProgressLine
from stream.errors import UsageError
from stream.inference.backends import BACKENDS
from stream.jobs import (
    CleanOptions,
    CleanResult,
    Cluster,
    Excerpt,
    Forecast,
    Made,
    Task,
    View,
    WorkerPool,
    check,
    clean_file,
    forecast,
    middle_of,
)
from stream.output.encoder import EncoderOptions, require_known
from stream.stages import Processor

PREVIEW_S = Fraction(5)
"""Seconds that a preview shows."""

WORKER_BYTES = 1 << 30
"""Of free memory for each worker: it holds a model, 290 MB for frames of 1080p, and a reader and
an encoder."""

NOT_ON_A_CLUSTER = "--dry-run tells of this machine; leave out --cluster"

_Loaded: TypeAlias = tuple[Processor | WorkerPool | Cluster, str, dict[str, str]]
"""What cleans, its identity, and what to report of it."""


class Cleaner:
    """Cleans videos, each with the model that was named or that its quality means here.

    Raises:
        UsageError: The options do not go together, or mean nothing that exists.
    """

    def __init__(self, options: argparse.Namespace, tasks: Sequence[Task]) -> None:
        self._options = options
        self._tasks = tasks
        self._encoder = EncoderOptions(options.codec, options.crf, options.preset)
        require_known(self._encoder)
        self._excerpt = Excerpt(options.start, options.end)
        if options.cluster and options.dry_run:
            raise UsageError(NOT_ON_A_CLUSTER)
        self._resets: Counter[Any] = Counter()
        self._stack = ExitStack()
        self._loaded: dict[str, _Loaded] = {}
        self._processors: Sequence[Any] = ()
        self._told: dict[str, str] = {}

    def close(self) -> None:
        """Let go of the cluster, if there is one."""
        self._stack.close()

    def load(self) -> None:
        """Load a model now, the one that is likely."""
        options = self._options
        self._worker(options.model or QUALITIES[options.quality][0])

    def _maker(self, model: str) -> Callable[[], Made]:
        """Makes a processor of this model, here or on a worker of a cluster."""
        options = self._options
        return partial(
            make_deblurrer,
            find_model(model).everywhere,
            device=options.device,
            precision=options.precision,
            runtime=options.runtime,
            strength=options.strength,
        )

    def _here(self, model: str) -> _Loaded:
        """On this machine, see `workers`."""
        with closing(ProgressLine(model)) as line:
            line.say("loading")
            return workers(self._maker(model))

    def _worker(self, model: str) -> _Loaded:
        """The same, here or elsewhere; loaded once."""
        if model not in self._loaded:
            self._loaded[model] = (self._elsewhere if self._options.cluster else self._here)(model)
        return self._loaded[model]

    def _elsewhere(self, model: str) -> _Loaded:
        options = self._options
        with closing(ProgressLine(model)) as line:
            line.say("loading on the cluster")
            gpu_share = 0.0 if options.device == "cpu" else options.gpu_share
            cluster = Cluster(options.cluster, self._maker(model), gpu_share=gpu_share)
            return (self._stack.enter_context(cluster), *cluster.made)

    def _chosen(self, task: Task) -> str:
        """The model for a video: the one that was named, or what the quality means here."""
        options = self._options
        if options.model:
            return str(options.model)
        if options.cluster or len(QUALITIES[options.quality]) == 1:
            return QUALITIES[options.quality][0]  # other machines' speed is not known
        with closing(FileSource(task.source)) as source:
            choice = choose(options.quality, source.info, self._speed)
            words = choice.words(source.info)
        with closing(ProgressLine(self._name(task))) as line:
            line.remark(f"{self._name(task)}: cleaned {words}")
        return choice.model

    def _speed(self, model: str) -> float:
        """Seconds that a million pixels take by all workers of this machine."""
        processors = _processors(self._worker(model)[0])
        from stream.inference.speed import seconds_per_megapixel

        return seconds_per_megapixel(processors[0]) / len(processors)

    def _taken(self, task: Task) -> tuple[Processor | WorkerPool | Cluster, str]:
        """What cleans a video, and its identity."""
        worker, identity, self._told = self._worker(self._chosen(task))
        self._processors = _processors(worker)
        return worker, identity

    def check(self, task: Task) -> None:
        """Let what cannot be done fail now, before a model is loaded."""
        check(task.source, task.target, self._choice(task))

    def clean(self, task: Task) -> CleanResult:
        """Clean one video, and say what is to be known of it."""
        choice = self._choice(task)
        worker, identity = self._taken(task)
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

    def forecast(self, task: Task) -> Forecast:
        """Find out what `clean` would do."""
        choice = self._choice(task)
        worker, identity = self._taken(task)
        if isinstance(worker, Cluster):
            raise UsageError(NOT_ON_A_CLUSTER)
        with closing(ProgressLine(self._name(task))) as progress:
            progress.say("trying a few frames")
            return forecast(task.source, task.target, worker, choice, model=identity)

    def report(self, result: CleanResult) -> dict[str, Any]:
        """JSON-ready, of the video that was just cleaned."""
        resets = self._resets_so_far() - self._resets
        return (
            result.stats.report()
            | self._told
            | {"resets": {reason.value: count for reason, count in resets.items()}}
        )

    def _resets_so_far(self) -> Counter[Any]:
        """Of the model's state; a cluster does not tell."""
        return sum((Counter(getattr(one, "resets", {})) for one in self._processors), Counter())

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


def _processors(worker: Processor | WorkerPool | Cluster) -> Sequence[Any]:
    return worker.processors if isinstance(worker, WorkerPool) else [worker]


def workers(make: Callable[[], Made]) -> tuple[Processor | WorkerPool, str, dict[str, str]]:
    """What cleans on this machine, its identity, and what to report of it.

    Args:
        make: Makes a processor that computes on one core, if that can be.
    """
    made = make()
    if not made.single_core:  # all cores compute one frame
        return made.processor, made.identity, made.report
    room = psutil.virtual_memory().available // WORKER_BYTES
    more = [make().processor for _ in range(1, min(available_cores(), room))]
    pool = WorkerPool([made.processor, *more])
    return pool, made.identity, made.report


def make_deblurrer(model: str, **choices: Any) -> Made:
    """Load a model, here or on a worker of a cluster."""
    from stream.inference.deblurrer import Deblurrer

    deblurrer = Deblurrer(model, single_thread=True, look_ahead=True, **choices)
    report = {"model": deblurrer.name, **asdict(deblurrer.compute)}
    single_core = BACKENDS[deblurrer.compute.runtime].single_core
    return Made(deblurrer, deblurrer.identity, report, single_core)
