"""The runtimes: what each can do, which is taken here, and how it runs a network.

The only place that knows them by name. To add one, write `models/networks/NAME.py` and a row of
`BACKENDS`. Imports none of them before it is opened, and `models` where it is needed, so that what
only names them depends on nothing.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from stream.errors import ModelError, UsageError
from stream.inference.device import Compute, Device, Precision, has_amx, usable_device

if TYPE_CHECKING:
    from models.registry import Weights
    from stream.inference.engine import Engine

_log = logging.getLogger(__name__)

LEAST_THREADS = 2
"""On one, MNN cuts its Winograd tiles otherwise: the same frame would differ between machines."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How an engine is used: see `stream.inference.engines.open_engine`."""

    single_thread: bool = False
    quick_start: bool = False


def _on_host(backend: Backend, weights: Weights, compute: Compute, choices: Choices) -> Engine:
    from models.networks.host import Opening
    from models.runtimes import available_cores
    from stream.inference.host_engine import HostEngine

    single = choices.single_thread and backend.single_core
    threads = 1 if single else max(LEAST_THREADS, available_cores())
    module = importlib.import_module(f"models.networks.{backend.name}")
    return HostEngine(
        weights,
        compute,
        backend.identity(weights, compute) + single * " single",
        lambda height, width: module.open_network(
            weights, Opening((height, width), compute.precision, threads)
        ),
    )


def _on_tensorflow(
    backend: Backend, weights: Weights, compute: Compute, choices: Choices
) -> Engine:
    from models.runtimes import load_keras

    load_keras()
    from stream.inference.keras_engine import KerasEngine

    return KerasEngine(weights, compute, xla=not choices.quick_start)


def _openvino_finds_bfloat16() -> bool:
    from models.runtimes import openvino_has_bfloat16

    return openvino_has_bfloat16()


@dataclass(frozen=True, slots=True)
class Backend:
    """A runtime that computes this project's networks.

    Attributes:
        name: that people call it by, as in ``--runtime``.
        package: the module that computes; what is installed for it has the same name.
        precisions: that it computes in on a CPU, the usual one first.
        quickest_in: the precisions in which it is taken before those below it in `BACKENDS`, where
            it is installed and nothing else was asked for.
        on_gpu: the precisions that it computes in on a GPU.
        needs: further modules that must be there.
        single_core: whether it computes a frame on one core where it is told to, so that several
            work side by side.
        units: for a precision that needs such of the CPU, whether the runtime finds them.
        open: makes an engine of weights; by default one on the host, of the module of
            `models.networks` that has the runtime's name.
    """

    name: str
    package: str
    precisions: tuple[str, ...]
    quickest_in: tuple[str, ...] = ()
    on_gpu: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    single_core: bool = False
    units: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    open: Callable[[Backend, Weights, Compute, Choices], Engine] = _on_host

    def computes_in(self, device: str, precision: str) -> bool:
        """Return whether it computes so on some machine."""
        return precision in (self.on_gpu if device == "gpu" else self.precisions)

    @property
    def is_installed(self) -> bool:
        """Whether its own package is here; `require` says what else is missing."""
        from models.packages import is_installed

        return is_installed(self.package)

    def is_quick(self, precision: str) -> bool:
        """Return whether this machine has what makes it quick in a precision."""
        found = self.units.get(precision)
        return found is None or (has_amx() and self.is_installed and found())

    def require(self, precision: str) -> None:
        """Raise MissingError, which tells what to do, for what it lacks here."""
        from models.errors import MissingError
        from models.packages import require

        require(self.package, *self.needs)
        found = self.units.get(precision)
        if found and not found():
            raise MissingError(f"this CPU has no units for {precision}: use --precision float32")

    def identity(self, weights: Weights, compute: Compute) -> str:
        """Return what the output depends on, besides the frames."""
        return f"{weights.digest} {compute.precision} {self.package} {version(self.package)}"


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(
            "mnn",
            package="MNN",
            precisions=("float32",),
            quickest_in=("float32",),
            single_core=True,
        ),
        Backend(
            "onnx",
            package="onnxruntime",
            precisions=("float32", "int8"),
            quickest_in=("float32", "int8"),
        ),
        Backend(
            "openvino",
            package="openvino",
            precisions=("float32", "int8", "bfloat16"),
            quickest_in=("bfloat16",),
            units={"bfloat16": _openvino_finds_bfloat16},
        ),
        Backend(
            "litert",
            package="ai_edge_litert",
            precisions=("float32", "int8"),
            needs=("tensorflow", "keras"),
        ),
        Backend(
            "tensorflow",
            package="tensorflow",
            precisions=("float32", "bfloat16"),
            open=_on_tensorflow,
            quickest_in=("float32", "bfloat16", "float16"),
            on_gpu=("float32", "bfloat16", "float16"),
            needs=("keras",),
        ),
    )
}
"""By name, the quicker ones on a CPU first (docs/lab/performance.md)."""


def resolve(device: Device, precision: Precision, runtime: str) -> Compute:
    """Decide what computes, on what and in which precision; "auto" is what this machine does best.

    Without a GPU, bfloat16 is chosen only where the CPU multiplies it in hardware (AMX); elsewhere
    it is emulated and slower than float32. Where the quickest runtime is not installed, which is
    logged once, the next one takes its place.

    Raises:
        UsageError: on no machine these go together.
        ModelError: they don't on this one.
    """
    named = None if runtime == "auto" else BACKENDS[runtime]
    _require_possible(device, precision, named)
    kind = "cpu"
    if precision != "int8" and (named is None or named.on_gpu):
        kind = usable_device(device)
    if precision == "float16" and kind == "cpu":
        wrong = UsageError if device == "cpu" else ModelError  # another machine may have a GPU
        raise wrong("float16 is for GPUs: use --precision float32 or bfloat16 on this CPU")
    if named and precision != "auto":
        return Compute(kind, precision, named.name)
    for wanted in [precision] if precision != "auto" else _fastest(kind):
        able = [named] if named else [b for b in BACKENDS.values() if wanted in b.quickest_in]
        able = [each for each in able if each.computes_in(kind, wanted) and each.is_quick(wanted)]
        for each in able:
            if each.is_installed or named:
                if each is not able[0]:
                    _tell_once(able[0].package, each.package)
                return Compute(kind, wanted, each.name)
    return Compute(kind, wanted, able[0].name)  # which says how to get it


def _require_possible(device: Device, precision: Precision, named: Backend | None) -> None:
    """Raise UsageError for what no machine can do."""
    in_int8 = [backend.name for backend in BACKENDS.values() if "int8" in backend.precisions]
    if precision == "int8" and (device == "gpu" or (named and named.on_gpu)):
        raise UsageError(f"int8 is for the CPU, on --runtime {_listed(in_int8)}")
    if named is None or named.on_gpu:
        return
    able = _listed(named.precisions)
    if device == "gpu" or precision not in ("auto", "int8", *named.precisions):
        others = _listed([backend.name for backend in BACKENDS.values() if backend.on_gpu])
        raise UsageError(
            f"{named.name} computes in {able} on the CPU: use --runtime {others} for others"
        )
    if precision == "int8" and precision not in named.precisions:
        raise UsageError(f"{named.name} computes in {able}: use --runtime {in_int8[0]} for int8")


def _fastest(device: str) -> Sequence[str]:
    """Return the precisions to choose from, the fastest one first."""
    if device == "gpu":
        return ("float16",)
    return ("bfloat16", "float32") if has_amx() else ("float32",)


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


@lru_cache
def _tell_once(best: str, here: str) -> None:
    from models.packages import full_name

    _log.warning(
        "%s is not installed here: %s computes, more slowly", full_name(best), full_name(here)
    )
