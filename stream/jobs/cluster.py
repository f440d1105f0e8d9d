"""Segments cleaned by Ray: on all the GPUs of one machine, or on many machines.

Ray places the work, notices machines that die and has their work done again elsewhere. What is
ours is that the outcome has the same bytes as that of one machine. The driver reads the video once,
ahead of the work, and notes the pictures around each segment; a worker goes on behind the very same
pictures, as a run that is resumed does (`Reader.go_behind`), and has to end with the same ones. It
opens the input by its path, which has to lead to the same file on every machine.
"""

from __future__ import annotations

import functools
import logging
import os
import pickle
import platform
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from stream.errors import JobError
from stream.jobs.executor import Cleaned, Job
from stream.jobs.identity import identity_of
from stream.jobs.journal import Journal
from stream.jobs.plan import Plan
from stream.jobs.reader import Mark, Reader
from stream.jobs.remaining import unfinished
from stream.jobs.segment import clean_segment
from stream.stages import Processor
from stream.stats import RunStats

_ANSWER_S = 5.0
_PATIENCE_S = 20.0
_RETRIES = 5  # per segment, of machines and processes that die


class Made(NamedTuple):
    """A processor, and what a job has to know of it.

    Attributes:
        processor: Used for one segment after the other.
        identity: Anything that is equal for equal processors.
        report: For the report of a run: model, precision, device.
        single_core: Whether it computes on one core, so that several work side by side.
    """

    processor: Processor
    identity: str
    report: dict[str, str]
    single_core: bool = False


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """Where a segment lies.

    Attributes:
        position: How many pictures come before it.
        before: Marks of the last of them.
        after: Marks of the last pictures up to its end.
    """

    position: int
    before: tuple[Mark, ...]
    after: tuple[Mark, ...]


class Cluster:
    """A connection to Ray. A context; the connection ends with it.

    An `stream.jobs.executor.Executor`.

    Args:
        address: HOST:PORT of a running cluster's head; "auto" for that of `RAY_ADDRESS`, or where
            there is none, a Ray of our own on this machine, which nobody else can reach.
        make: Called in every worker process, once; has to be picklable.
        gpu_share: Of a GPU for each segment, if there are GPUs; 0 for none.

    Raises:
        JobError: Ray is not installed, or does not answer.
    """

    def __init__(self, address: str, make: Callable[[], Made], *, gpu_share: float = 1.0) -> None:
        self._make = pickle.dumps(make)
        self._gpu_share = gpu_share
        self._ray = _connected(address)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ray.shutdown()

    @property
    def made(self) -> tuple[str, dict[str, str]]:
        """Identity and report of the workers' processor.

        Raises:
            DeblurError: It cannot be made there.
        """
        return self._described[:2]

    @functools.cached_property
    def _described(self) -> tuple[str, dict[str, str], bool]:
        made: tuple[str, dict[str, str], bool]
        (made,) = self._results(_describe, iter([(self._make,)]))
        return made

    def clean(
        self,
        job: Job,
        reader: Reader,
        journal: Journal,
        on_progress: Callable[[RunStats], None],
    ) -> Generator[Cleaned, None, None]:
        """See `stream.jobs.executor.Executor`; ``reader`` reads ahead of the work.

        Progress is told once for each segment.
        """
        now = time.perf_counter()
        orders = ((self._make, job, place) for place in _places(job.plan, reader, journal))
        *_, single = self._described
        for cleaned in self._results(_clean, orders, single_core=single):
            before, now = now, time.perf_counter()
            cleaned.stats.duration_s = now - before
            yield cleaned
            on_progress(RunStats())

    def _results(
        self,
        work: Callable[..., Any],
        orders: Iterator[tuple[Any, ...]],
        *,
        single_core: bool = False,
    ) -> Iterator[Any]:
        """What ``work`` gives for each of ``orders``, as it comes; few are waiting at any time."""
        takes = demand(self._machines(), self._gpu_share, single_core=single_core)
        task = self._task(work, takes)
        waiting: list[Any] = []
        try:
            while True:
                while len(waiting) < 2 * self._slots(takes) and (order := next(orders, None)):
                    waiting.append(task.remote(*order))
                if not waiting:
                    return
                done, waiting = self._ray.wait(waiting, timeout=_PATIENCE_S)
                if not done:
                    self._slots(takes)  # whether anybody is left to do it
                for reference in done:
                    yield self._result(reference)
        finally:
            for reference in waiting:
                self._ray.cancel(reference)

    def _result(self, reference: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError as error:
            raise JobError(
                f"the cluster has lost a segment {_RETRIES + 1} times ({_first_line(error)}); what "
                "is finished is kept, look to its machines and run again"
            ) from error

    def _task(self, work: Callable[..., Any], takes: dict[str, float]) -> Any:
        """A process with several GPUs in sight stays on its first, so there it is used once."""
        crowded = any(machine.get("GPU", 0) > 1 for machine in self._machines())
        return self._ray.remote(**takes, max_calls=int(crowded), max_retries=_RETRIES)(work)

    def _slots(self, takes: dict[str, float]) -> int:
        """How many segments can be in work at a time.

        Raises:
            JobError: None.
        """
        kind, share = (
            ("GPU", takes["num_gpus"]) if takes["num_gpus"] else ("CPU", takes["num_cpus"])
        )
        slots = sum(int(machine.get(kind, 0) / share) for machine in self._machines())
        if slots < 1:
            raise JobError("no machine of the cluster is left to work; start some and run again")
        return slots

    def _machines(self) -> list[dict[str, float]]:
        """Resources of the machines that are alive."""
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]


def demand(
    machines: list[dict[str, float]], gpu_share: float, *, single_core: bool = False
) -> dict[str, float]:
    """What a segment takes: a share of a GPU, a core, or all the cores of the smallest machine.

    Never GPUs here and cores there: they compute different bits.
    """
    if gpu_share and any(machine.get("GPU") for machine in machines):
        return {"num_cpus": 1, "num_gpus": gpu_share}
    if single_core:
        return {"num_cpus": 1, "num_gpus": 0}
    cores = [machine["CPU"] for machine in machines if machine.get("CPU")]
    return {"num_cpus": min(cores, default=1), "num_gpus": 0}


def _places(plan: Plan, reader: Reader, journal: Journal) -> Iterator[SegmentPlace]:
    for index in unfinished(plan, reader, journal.find):
        position, before = reader.position, tuple(reader.marks())
        reader.pass_over(plan.end_of(index))
        yield SegmentPlace(position, before, tuple(reader.marks()))


def _describe(make: bytes) -> tuple[str, dict[str, str], bool]:
    """On a worker."""
    made = _made(make)
    return made.identity, made.report, made.single_core


def _clean(make: bytes, job: Job, place: SegmentPlace) -> Cleaned:
    """On a worker."""
    made = _made(make)
    here = identity_of(job.source, job.plan, job.window, made.identity, job.target)
    others = [name for name in job.identity if here[name] != job.identity[name]]
    if others:
        raise JobError(
            f"{platform.node()} has another {' and '.join(others)} than the machine that began "
            f"{job.target}; make the machines of the cluster alike"
        )
    with (
        closing(job.open()) as reader,
        tempfile.TemporaryDirectory() as folder,
    ):
        found = not place.before or reader.go_behind(place.before, place.position)
        if found:
            segment, stats = clean_segment(
                job.plan, reader, made.processor, Path(folder), shown_as=job.target
            )
            if segment.marks == place.after:
                return Cleaned(segment, stats, (Path(folder) / segment.name).read_bytes())
    raise JobError(
        f"{job.source} gives other pictures on {platform.node()}; clean it without --cluster"
    )


@functools.lru_cache(maxsize=1)
def _made(make: bytes) -> Made:
    made: Made = pickle.loads(make)()  # noqa: S301 - of our own driver
    return made


def _connected(address: str) -> Any:
    """Ray, joined to a cluster."""
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address == "auto":  # loopback only; read when Ray is imported, on Linux too
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    else:
        _require_answer(address)
    try:
        import ray
    except ImportError as error:
        raise JobError(
            "--cluster needs Ray; install it with: pip install 'deblurstream[cluster]'"
        ) from error
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "auto":
        options |= {"address": "local", "include_dashboard": False}
    else:
        options |= {"address": address}
    terminate = signal.getsignal(signal.SIGTERM)
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(**options)
    except Exception as error:  # that very class, where starting takes more than its 30 s
        raise JobError(f"Ray at {address} does not take us in ({_first_line(error)})") from error
    finally:
        with suppress(ValueError):  # only the main thread may, and only there has Ray replaced it
            signal.signal(signal.SIGTERM, terminate)
    return ray


def _require_answer(address: str) -> None:
    """Ray itself would wait for a minute."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        raise JobError(f"--cluster is auto or HOST:PORT, not {address}")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise JobError(
            f"no Ray answers at {address} ({getattr(error, 'strerror', None) or error}); start one "
            "with: ray start --head"
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
