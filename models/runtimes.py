"""The libraries that compute, imported so that they neither chat nor report to their makers.

ONNX Runtime and OpenVINO send usage data as they are imported unless they are told before: whoever
deblurs a camera at home does not expect that. TensorFlow and MNN write lines that nobody asked for.
"""

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ExportError
from models.packages import require

MNN_OPTIONS = ("-f", "ONNX", "--bizCode", "deblur", "--keepInputFormat=0")
"""Of MNN's converter; inputs and outputs stay in the order that it computes in."""


def tensorflow() -> Any:
    """TensorFlow, which has looked for devices: that, too, it does with a dozen lines.

    Its graphs are left as they are written: the pass that fuses convolutions with what follows them
    forgets the slope of a leaky ReLU where oneDNN computes (docs/lab/upstream.md).
    """
    require("tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    package = _silently("tensorflow", lambda package: package.config.list_physical_devices())
    package.config.optimizer.set_experimental_options({"remapping": False})
    return package


def load_keras() -> None:
    """Import what Keras computes with; TensorFlow unless KERAS_BACKEND names another."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
        tensorflow()
    require("keras")
    with _interrupts_held():
        importlib.import_module("keras")


def available_cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def onnx_session(model: str | bytes) -> Any:
    """An ONNX Runtime session of a file or of its content, on the processors of this process.

    Left alone, ONNX Runtime starts a thread for each core there is and pins it there, past what
    `taskset` or a container allow.
    """
    package = onnxruntime()
    settings = package.SessionOptions()
    settings.intra_op_num_threads = available_cores()
    return package.InferenceSession(model, settings, providers=["CPUExecutionProvider"])


def onnx_runner(model: str | bytes) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What computes the outputs of such a model by name, given its inputs."""
    session = onnx_session(model)
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def onnxruntime() -> Any:
    """The ONNX Runtime package, which then sends no usage data."""
    require("onnxruntime")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by 1.29 and later; not on Windows
    with _interrupts_held():
        package = importlib.import_module("onnxruntime")
    package.disable_telemetry_events()  # on Windows
    return package


def openvino() -> Any:
    """The OpenVINO package, kept from its telemetry by the name of that package.

    There is no setting for it; written for 2026.4, which goes on where the import fails.
    """
    require("openvino")
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    with _interrupts_held():
        return importlib.import_module("openvino")


@lru_cache(1)
def openvino_core() -> Any:
    """OpenVINO's only core of the process, which keeps it.

    Each sets an alternate signal stack and puts back the one before it when it goes: two that go
    in the order in which they came leave one that is gone, and the next Ctrl-C is a crash.
    """
    return openvino().Core()


def openvino_model(model: Any, *, bfloat16: bool = False) -> Any:
    """A file or a model of OpenVINO's, compiled for the CPU in float32.

    With `bfloat16` it multiplies in that, which OpenVINO ignores where `openvino_has_bfloat16` is
    False.
    """
    precision = "bf16" if bfloat16 else "f32"
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    return openvino_core().compile_model(model, "CPU", settings)


def openvino_has_bfloat16() -> bool:
    """Whether OpenVINO finds units for bfloat16 in this CPU."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def mnn_model(model: bytes) -> bytes:
    """An ONNX model as one of MNN's; ExportError if MNN can't convert it."""
    require("MNN")
    with _temporary_folder() as folder:
        source, target = (folder / f"network.{kind}" for kind in ("onnx", "mnn"))
        source.write_bytes(model)
        _convert_to_mnn(source, target)
        return target.read_bytes()


class MnnSession:
    """A session of a model of MNN's on some threads.

    A session rather than one of MNN's newer modules: these hold Python's lock while they compute,
    which would stop the threads that capture and encode.

    Args:
        model: what `mnn_model` gives.
        threads: to compute on.
        shapes: of inputs whose sides are free, by name.

    Attributes:
        inputs, outputs: tensors of the session by their names.
    """

    def __init__(
        self, model: bytes, threads: int, shapes: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        require("MNN")
        self._mnn = _silently("MNN")
        with _temporary_folder() as folder:
            path = folder / "network.mnn"
            path.write_bytes(model)
            self._interpreter = self._mnn.Interpreter(str(path))  # owns the session's memory
        self._session = self._interpreter.createSession(
            {"backend": "CPU", "numThread": threads, "precision": "normal"}
        )
        if shapes:
            given = self._interpreter.getSessionInputAll(self._session)
            for name, shape in shapes.items():
                self._interpreter.resizeTensor(given[name], tuple(shape))
            self._interpreter.resizeSession(self._session)
        self.inputs: dict[str, Any] = self._interpreter.getSessionInputAll(self._session)
        self.outputs: dict[str, Any] = self._interpreter.getSessionOutputAll(self._session)

    def run(self) -> None:
        """Compute the outputs from what is in the inputs."""
        self._interpreter.runSession(self._session)

    def tensor(self, channels: int, rows: int, columns: int) -> "MnnTensor":
        """Memory of zeros for one of its inputs or outputs."""
        return MnnTensor(self._mnn, channels, rows, columns)


class MnnTensor:
    """Float32 memory in the order that MNN computes in: copies to and from a session are plain."""

    def __init__(self, mnn: Any, channels: int, rows: int, columns: int) -> None:
        shape = (1, channels, rows, columns)
        kind, layout = mnn.Halide_Type_Float, mnn.Tensor_DimensionType_Caffe_C4
        self._tensor = mnn.Tensor(shape, kind, np.zeros(shape, np.float32), layout)

    @property
    def values(self) -> np.ndarray:
        """The memory itself, as (C / 4, h, w, 4); only where C is a multiple of 4."""
        values: np.ndarray = self._tensor.getNumpyData()
        return values.reshape(-1, *values.shape[2:], 4)

    def copy_to(self, port: Any) -> None:
        """Fill an input of a session."""
        port.copyFrom(self._tensor)

    def copy_from(self, port: Any) -> None:
        """Take the values of an output of a session."""
        port.copyToHostTensor(self._tensor)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder for the block; ExportError where there is no place for it."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ExportError(
            f"no place for temporary files ({reason}): set TMPDIR to another folder"
        ) from error


def _convert_to_mnn(source: Path, target: Path) -> None:
    """Write an ONNX file as one of MNN's; ``_tools`` is not documented, written for MNN 3.6.

    The converter shares symbols with TensorFlow that end the process, so it has one of its own. It
    is called past its wrapper, which would keep a log of who converts what, and takes no module
    from the current folder (-P), which may be anybody's.
    """
    call = "import sys, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"
    options = (*MNN_OPTIONS, "--modelFile", source, "--MNNModel", target)
    done = subprocess.run(  # noqa: S603 - this interpreter, on files of ours
        [sys.executable, "-P", "-c", call, *options], capture_output=True, text=True, check=False
    )
    if done.returncode or not target.is_file():
        words = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise ExportError(f"MNN's converter failed on {source.name}: {words[-1]}")


def _silently(name: str, begin: Callable[[Any], object] = lambda package: None) -> Any:
    """A package, imported and begun with what it writes kept aside, the first time."""
    if name in sys.modules:
        return importlib.import_module(name)
    with _interrupts_held(), native_output_aside():
        package = importlib.import_module(name)
        begin(package)
    return package


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait while a library is imported, and take effect right after.

    A KeyboardInterrupt between the halves of TensorFlow is swallowed there, becomes an ImportError,
    or ends the process in C++. Python runs signal handlers on the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    previous = {
        number: signal.signal(number, lambda number, frame: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not None  # set by a program in C that we are part of
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        for late in held[:1]:
            signal.raise_signal(late)


@contextmanager
def native_output_aside() -> Iterator[None]:
    """Keep what is written to file descriptors 1 and 2 in a file; show it only after an error.

    The lines about absent GPU drivers come before any log level is in force, so nothing but the
    file descriptor itself keeps them off the screen. What C has buffered is part of it: MNN's line
    about its processor would come when the program ends.
    """
    streams = [stream for stream in (sys.stdout, sys.stderr) if stream]  # none under pythonw
    for stream in streams:
        stream.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile() as aside:
        _point_to([aside.fileno()] * 2)
        try:
            yield
        except Exception:
            _flush_c()
            _point_to(kept)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            for stream in streams:
                stream.flush()
            _flush_c()
            _point_to(kept)
            for number in kept:
                os.close(number)


def _flush_c() -> None:
    """Write out the buffers of C's own standard streams, which Python's know nothing of."""
    ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None).fflush(None)


def _point_to(descriptors: Sequence[int]) -> None:
    """Make standard output and error what these are."""
    for number, descriptor in zip((1, 2), descriptors, strict=True):
        os.dup2(descriptor, number)
