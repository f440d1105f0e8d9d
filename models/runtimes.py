"""ONNX Runtime and OpenVINO, imported so that they report nothing to their makers.

Both send usage data as they are imported unless they are told before: whoever deblurs a camera at
home does not expect that.
"""

import importlib
import os
import sys
from typing import Any


def onnx_session(model: str | bytes) -> Any:
    """An ONNX Runtime session of a file or of its content, on the CPU."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read by 1.29 and later; not on Windows
    onnxruntime = importlib.import_module("onnxruntime")
    onnxruntime.disable_telemetry_events()  # on Windows
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def openvino() -> Any:
    """The OpenVINO package."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")
