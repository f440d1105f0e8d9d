"""Which device and precision to compute with, chosen from the machine or forced.

`models` is imported where it is needed, so that what only names a `Compute` does not depend on it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stream.errors import ModelError, UsageError

Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]

GPU_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")))
"""What the drivers of NVIDIA, Windows' own under WSL, and AMD show on Linux."""


@dataclass(frozen=True, slots=True)
class Compute:
    """A device, "cpu" or "gpu"; a precision other than "auto"; and the runtime that computes."""

    device: str
    precision: str
    runtime: str = "tensorflow"


def choose(device: Device = "auto", precision: Precision = "auto") -> Compute:
    """Resolve "auto", and refuse what the machine can't do.

    Without a GPU, bfloat16 is chosen only where the CPU multiplies it in hardware (AMX); elsewhere
    it is emulated and slower than float32. MissingError where a GPU is asked for without
    TensorFlow, which alone computes there.
    """
    from models.packages import require

    if device == "gpu":
        require("tensorflow")
    gpu = device != "cpu" and has_gpu()
    if device == "gpu" and not gpu:
        raise ModelError("TensorFlow finds no GPU here: use --device cpu or auto")
    kind = "gpu" if gpu else "cpu"
    if precision == "auto":
        fast = "float16" if gpu else "bfloat16" if has_amx() else "float32"
        return Compute(kind, fast)
    if precision == "float16" and kind == "cpu":
        wrong = UsageError if device == "cpu" else ModelError  # another machine may have a GPU
        raise wrong("float16 is for GPUs: use --precision float32 or bfloat16 on this CPU")
    return Compute(kind, precision)


def has_gpu() -> bool:
    """Whether TensorFlow is there and finds a GPU.

    It takes seconds to ask, so a driver must be there first.
    """
    if sys.platform == "linux" and not any(driver.exists() for driver in GPU_DRIVERS):
        return False
    from models.packages import is_installed
    from models.runtimes import tensorflow

    return is_installed("tensorflow") and bool(tensorflow().config.list_physical_devices("GPU"))


def prepare_tensorflow(compute: Compute) -> None:
    """Have TensorFlow use the device, and no more of a GPU's memory than it needs.

    Must run before TensorFlow has computed anything; ModelError otherwise.
    """
    from models.runtimes import tensorflow

    config = tensorflow().config
    try:
        if compute.device == "cpu":
            config.set_visible_devices([], "GPU")
            return
        for gpu in config.list_physical_devices("GPU"):
            config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ModelError(f"TensorFlow's devices are in use already: {error}") from error


def has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has matrix units for bfloat16; False where the system does not tell."""
    try:
        return "amx_bf16" in cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
