"""What was found out about an engine on this machine, kept until anything it rests on changes."""

import hashlib
import os
import platform
from pathlib import Path

from models.cache import cache_folder

_SETTINGS = ("TF_", "XLA_", "ONEDNN_", "DNNL_", "OV_", "CUDA_", "NVIDIA_")
_PROCESSOR = ("model name", "flags", "CPU implementer", "CPU part", "Features")


def record_of(folder: str, *parts: str) -> Path | None:
    """The file in the cache that stands for these parts on this processor with these settings.

    None where there is no place for it. It may not exist.
    """
    settings = (f"{key}={value}" for key, value in os.environ.items() if key.startswith(_SETTINGS))
    text = "\n".join([*parts, _processor(), *sorted(settings)])
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
    try:
        return cache_folder(folder) / digest[:32]
    except RuntimeError:  # there is no home
        return None


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What libraries may choose their code by."""
    try:
        first = cpuinfo.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(line for line in first.splitlines() if line.startswith(_PROCESSOR))
