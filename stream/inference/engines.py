"""Which engine runs a model here; each is imported when it is opened, with the runtime it needs."""

import importlib.util
from pathlib import Path
from typing import Literal

from models.image_model import is_image_model
from models.runtimes import load_keras
from stream.errors import ModelError
from stream.inference.device import Compute, Device, Precision, choose, has_amx
from stream.inference.engine import Engine
from stream.inference.tiles import TiledEngine

Runtime = Literal["auto", "tensorflow", "mnn", "litert", "onnx", "openvino"]


def open_engine(
    model: str,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    runtime: Runtime = "auto",
    single_thread: bool = False,
    quick_start: bool = False,
) -> Engine:
    """The engine for a model, which takes very large frames in tiles.

    Args:
        model: a name of `models.registry`, a weights file, or a SavedModel folder or ONNX file of
            somebody else's that maps RGB frames.
        device: see `stream.inference.device.choose`; TensorFlow alone has others than the CPU.
        precision: likewise; the others compute in float32, where it is asked for in int8, and
            OpenVINO in bfloat16 too.
        runtime: what computes; "auto" is what is quickest on a CPU (docs/performance.md), MNN for
            float32, ONNX Runtime for int8 and OpenVINO, where it is installed, for bfloat16; and
            TensorFlow for all else.
        single_thread: let MNN compute on the calling thread alone, for several engines at a time.
            Some samples differ by a code from those of several threads, whose number changes
            nothing.
        quick_start: for what is watched while it happens: compute a frame of a new size sooner
            rather than those after it faster, which leaves out XLA on a GPU.

    Raises:
        ModelError: there is no such model, or it can't run here.
    """
    if is_image_model(model):
        if runtime != "auto":
            raise ModelError(f"{model} runs on the runtime of its format: leave out --runtime")
        from stream.inference.image_engine import ImageEngine

        if device == "gpu" and Path(model).is_file():
            raise ModelError(f"{model} runs on the CPU: leave out --device gpu")
        wanted = "float32" if precision == "auto" else precision
        there: Device = "cpu" if Path(model).is_file() else device
        return TiledEngine(ImageEngine(model, choose(there, wanted)))
    if precision == "int8":
        if device == "gpu" or runtime == "tensorflow":
            raise ModelError("int8 is for the CPU, on --runtime onnx, openvino or litert")
        runtime = "onnx" if runtime == "auto" else runtime
    elif runtime == "auto":
        runtime = _quickest(choose(device, precision))
    if runtime == "tensorflow":
        load_keras()
        from stream.inference.keras_engine import KerasEngine

        return TiledEngine(KerasEngine(model, choose(device, precision), xla=not quick_start))
    wrong = precision == "bfloat16" and runtime != "openvino"
    if wrong or device == "gpu" or precision == "float16":
        raise ModelError(
            f"{runtime} computes in float32 or int8 on the CPU: use --runtime tensorflow for others"
        )
    if runtime == "mnn":
        if precision == "int8":
            raise ModelError("mnn computes in float32: use --runtime onnx for int8")
        from stream.inference.mnn_engine import MnnEngine

        return TiledEngine(MnnEngine(model, single_thread=single_thread))
    from stream.inference.runtime_engine import RuntimeEngine

    if precision == "auto":
        half = runtime == "openvino" and _has_openvino_for_amx()
        precision = "bfloat16" if half else "float32"
    return TiledEngine(RuntimeEngine(model, runtime, precision))


def _quickest(compute: Compute) -> Runtime:
    if compute.device == "cpu" and compute.precision == "float32":
        return "mnn"
    return "openvino" if compute.device == "cpu" and _has_openvino_for_amx() else "tensorflow"


def _has_openvino_for_amx() -> bool:
    if not has_amx() or importlib.util.find_spec("openvino") is None:
        return False
    from models.export.openvino_ir import has_bfloat16

    return has_bfloat16()
