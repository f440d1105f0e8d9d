"""Opens the engine that runs a model here."""

from pathlib import Path
from typing import get_args

from models import registry
from stream.errors import UsageError
from stream.inference.backends import BACKENDS, Choices, resolve
from stream.inference.device import Compute, Device, Precision, usable_device
from stream.inference.engine import Engine
from stream.inference.self_check import checked
from stream.inference.tiles import TiledEngine


def open_engine(
    model: str,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: str = "auto",
    single_thread: bool = False,
    quick_start: bool = False,
    look_ahead: bool = False,
) -> Engine:
    """The engine for a model, which takes very large frames in tiles.

    Args:
        model: a name of `models.registry`, a weights file, or a SavedModel folder or ONNX file of
            somebody else's that maps RGB frames.
        device: what to compute on; "auto" is a GPU if there is one.
        precision: how precisely; "auto" is the fastest of floating-point numbers on the device.
        runtime: what computes, a name of `stream.inference.backends.BACKENDS`; "auto" is what is
            quickest here.
        single_thread: let a runtime that can do so compute on the calling thread alone, for several
            engines at a time. Some samples differ by a code from those of several threads, whose
            number changes nothing.
        quick_start: for what is watched while it happens: compute a frame of a new size sooner
            rather than those after it faster, which leaves out XLA on a GPU.
        look_ahead: for what is recorded: make use of each frame's next one too.

    Raises:
        ModelError: there is no such model, it can't run here, or what computes gets it wrong.
        UsageError: on no machine the model, the device, the precision and the runtime go together.
    """
    if not isinstance(model, str):
        raise UsageError(f"there is no model {model!r}: give a name or a path, as text")
    for kind, given, known in (
        ("device", device, get_args(Device)),
        ("precision", precision, get_args(Precision)),
        ("runtime", runtime, ("auto", *BACKENDS)),
    ):
        if given not in known:
            raise UsageError(f"there is no {kind} {given!r}: give one of {', '.join(known)}")
    choices = Choices(single_thread, quick_start)
    found = registry.find_model(model)
    if found.foreign:
        return TiledEngine(_of_images(found.path, device, precision, runtime))
    compute = resolve(device, precision, runtime)
    return TiledEngine(_of_network(model, compute, choices, look_ahead=look_ahead))


def _of_network(model: str, compute: Compute, choices: Choices, *, look_ahead: bool) -> Engine:
    """Open one of this project's networks, and see that it computes what it should."""
    backend = BACKENDS[compute.runtime]
    backend.require(compute.precision)
    weights = registry.load(model)
    if not look_ahead:
        weights = weights.causal()
    compiled_otherwise = compute.device == "gpu" and not choices.quick_start
    engine = backend.open(backend, weights, compute, choices)
    return checked(engine, weights, variant="XLA" * compiled_otherwise)


def _of_images(path: Path, device: Device, precision: Precision, runtime: str) -> Engine:
    """Open somebody else's model of RGB frames, on the runtime of its format."""
    if runtime != "auto":
        raise UsageError(f"{path} runs on the runtime of its format: leave out --runtime")
    if device == "gpu" and path.is_file():
        raise UsageError(f"{path} runs on the CPU: leave out --device gpu")
    if precision not in ("auto", "float32"):
        raise UsageError(f"{path} computes in float32: leave out --precision")
    from stream.inference.image_engine import ImageEngine

    return ImageEngine(path, "cpu" if path.is_file() else usable_device(device))
