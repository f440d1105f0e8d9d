"""Which engine runs a model here; each is imported when it is opened, with the runtime it needs."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from models.errors import MissingError
from models.image_model import is_image_model
from models.packages import full_name, is_installed
from models.runtimes import load_keras
from stream.errors import ModelError, UsageError
from stream.inference.device import Compute, Device, Precision, choose, has_amx
from stream.inference.engine import Engine
from stream.inference.self_check import checked
from stream.inference.tiles import TiledEngine

Runtime = Literal["auto", "tensorflow", "mnn", "litert", "onnx", "openvino"]

_log = logging.getLogger(__name__)

_FLOAT32: dict[Runtime, str] = {"mnn": "MNN", "onnx": "onnxruntime", "tensorflow": "tensorflow"}
"""What computes in float32 on a CPU, the quickest first, and the package that it needs."""


def open_engine(
    model: str,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = "auto",
    single_thread: bool = False,
    quick_start: bool = False,
    look_ahead: bool = False,
) -> Engine:
    """The engine for a model, which takes very large frames in tiles.

    Args:
        model: a name of `models.registry`, a weights file, or a SavedModel folder or ONNX file of
            somebody else's that maps RGB frames.
        device: see `stream.inference.device.choose`; TensorFlow alone has others than the CPU.
        precision: likewise; the others compute in float32, where it is asked for in int8, and
            OpenVINO in bfloat16 too.
        runtime: what computes; "auto" is what is quickest on a CPU (docs/lab/performance.md): MNN
            for float32, ONNX Runtime for int8, OpenVINO, where it is installed, for bfloat16, and
            TensorFlow for all else. Where MNN is not installed, which is logged once, ONNX Runtime
            or TensorFlow takes its place.
        single_thread: let MNN compute on the calling thread alone, for several engines at a time.
            Some samples differ by a code from those of several threads, whose number changes
            nothing.
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
        ("device", device, Device),
        ("precision", precision, Precision),
        ("runtime", runtime, Runtime),
    ):
        if given not in get_args(known):
            raise UsageError(
                f"there is no {kind} {given!r}: give one of {', '.join(get_args(known))}"
            )
    try:
        return TiledEngine(
            _opened(
                model,
                device,
                precision,
                runtime,
                single_thread,
                quick_start=quick_start,
                look_ahead=look_ahead,
            )
        )
    except MissingError as error:
        raise ModelError(str(error)) from error


def _opened(
    model: str,
    device: Device,
    precision: Precision,
    runtime: Runtime,
    single_thread: bool,
    *,
    quick_start: bool,
    look_ahead: bool,
) -> Engine:
    if is_image_model(model):
        if runtime != "auto":
            raise UsageError(f"{model} runs on the runtime of its format: leave out --runtime")
        from stream.inference.image_engine import ImageEngine

        if device == "gpu" and Path(model).is_file():
            raise UsageError(f"{model} runs on the CPU: leave out --device gpu")
        wanted = "float32" if precision == "auto" else precision
        there: Device = "cpu" if Path(model).is_file() else device
        return ImageEngine(model, choose(there, wanted))
    if precision == "int8":
        if device == "gpu" or runtime == "tensorflow":
            raise UsageError("int8 is for the CPU, on --runtime onnx, openvino or litert")
        runtime = "onnx" if runtime == "auto" else runtime
    elif runtime == "auto":
        runtime = _quickest(choose(device, precision), forced=precision != "auto")
    if runtime == "tensorflow":
        load_keras()
        from stream.inference.keras_engine import KerasEngine

        keras = KerasEngine(
            model, choose(device, precision), xla=not quick_start, look_ahead=look_ahead
        )
        return checked(keras, model, variant="" if quick_start else "XLA")
    wrong = precision == "bfloat16" and runtime != "openvino"
    if wrong or device == "gpu" or precision == "float16":
        able = "float32" if runtime == "mnn" else "float32 or int8"
        raise UsageError(
            f"{runtime} computes in {able} on the CPU: use --runtime tensorflow for others"
        )
    if runtime == "mnn":
        if precision == "int8":
            raise UsageError("mnn computes in float32: use --runtime onnx for int8")
        from stream.inference.mnn_engine import MnnEngine

        return checked(MnnEngine(model, single_thread=single_thread, look_ahead=look_ahead), model)
    from stream.inference.runtime_engine import RuntimeEngine

    if precision == "auto":
        half = runtime == "openvino" and _has_openvino_for_amx()
        precision = "bfloat16" if half else "float32"
    return checked(RuntimeEngine(model, runtime, precision, look_ahead=look_ahead), model)


def _quickest(compute: Compute, *, forced: bool) -> Runtime:
    """The runtime for a choice of device and precision; ``forced`` if the latter is the user's."""
    if compute.device == "cpu":
        if compute.precision == "float32":
            return _for_float32()
        if _has_openvino_for_amx():
            return "openvino"
        if not forced and not is_installed("tensorflow"):
            return _for_float32()
    return "tensorflow"


def _for_float32() -> Runtime:
    """What is quickest in float32 on a CPU of what is installed."""
    for runtime, package in _FLOAT32.items():
        if is_installed(package):
            if package != "MNN":
                _tell_once(f"MNN is not installed here: {full_name(package)} computes, more slowly")
            return runtime
    return "mnn"  # which says how to get it


@lru_cache
def _tell_once(message: str) -> None:
    _log.warning(message)


def _has_openvino_for_amx() -> bool:
    if not has_amx() or not is_installed("openvino"):
        return False
    from models.export.openvino_ir import has_bfloat16

    return has_bfloat16()
