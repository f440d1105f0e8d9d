"""What there is to compute on, and what is chosen of it.

`models` is imported where it is needed, so that what only names a `Compute` does not depend on it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stream.errors import ModelError

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


def usable_device(device: Device) -> str:
    """Return "cpu" or "gpu", which "auto" means where TensorFlow finds one.

    Raises:
        MissingError: a GPU is asked for without TensorFlow, which alone computes there.
        ModelError: there is no GPU.
    """
    if device == "gpu":
        from models.packages import require

        require("tensorflow")
    gpu = device != "cpu" and has_gpu()
    if device == "gpu" and not gpu:
        raise ModelError("TensorFlow finds no GPU here: use --device cpu or auto")
    return "gpu" if gpu else "cpu"


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
