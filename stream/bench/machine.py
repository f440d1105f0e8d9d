"""What the figures were measured on."""

import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from models.runtimes import available_cores, tensorflow

FLAGS = ("avx2", "avx512f", "avx512_vnni", "amx_bf16", "amx_int8", "asimd")
"""CPU features that decide how fast a convolution is."""

PACKAGES = ("tensorflow", "keras", "MNN", "onnxruntime", "numpy", "av", "opencv-python")


def machine_facts() -> dict[str, Any]:
    """CPU, accelerators, memory, versions, and how busy the machine is; JSON-ready."""
    tf = tensorflow()

    cpuinfo = _read(Path("/proc/cpuinfo"))
    name = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    flags = set(re.findall(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)[:1])
    known = set(" ".join(flags).split())
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    return {
        "cpu": name[1] if name else platform.processor() or platform.machine(),
        "cores": available_cores(),
        "features": [flag for flag in FLAGS if flag in known],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpus,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": dict(_versions()),
        "load_average": round(psutil.getloadavg()[0], 2),
    }


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            yield package, version(package)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
