"""Which device and precision to compute with, chosen from the machine or forced."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stream.errors import ModelError

Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]


@dataclass(frozen=True, slots=True)
class Compute:
    """A device, "cpu" or "gpu"; a precision other than "auto"; and the runtime that computes."""

    device: str
    precision: str
    runtime: str = "tensorflow"


def choose(device: Device = "auto", precision: Precision = "auto") -> Compute:
    """Resolve "auto", prepare TensorFlow's devices, and refuse what the machine can't do.

    Must run before TensorFlow has computed anything. Without a GPU, bfloat16 is chosen only where
    the CPU multiplies it in hardware (AMX); elsewhere it is emulated and slower than float32.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU") if device != "cpu" else []
    if device == "gpu" and not gpus:
        raise ModelError("TensorFlow finds no GPU here: use --device cpu or auto")
    try:
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        raise ModelError(f"TensorFlow's devices are in use already: {error}") from error
    kind = "gpu" if gpus else "cpu"
    if precision == "auto":
        fast = "float16" if gpus else "bfloat16" if has_amx() else "float32"
        return Compute(kind, fast)
    if precision == "float16" and kind == "cpu":
        raise ModelError("float16 is for GPUs: use --precision float32 or bfloat16 on this CPU")
    return Compute(kind, precision)


def has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has matrix units for bfloat16; False where the system does not tell."""
    try:
        return "amx_bf16" in cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
