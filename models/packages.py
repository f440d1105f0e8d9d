"""Which of the libraries that compute are installed, and what to do where one is not.

Not every system has all of them: TensorFlow comes late to a new Python, and MNN not to Windows on
Arm or to systems with musl.
"""

import importlib.util
from typing import Any

from models.errors import MissingError

_EXPORT = 'pip install "deblurstream[export]"'
_NAMES = {
    "MNN": ("MNN", "pip install MNN"),
    "ai_edge_litert": ("LiteRT", _EXPORT),
    "keras": ("Keras", "pip install keras"),
    "onnxruntime": ("ONNX Runtime", "pip install onnxruntime"),
    "openvino": ("OpenVINO", _EXPORT),
    "tensorflow": ("TensorFlow", "pip install tensorflow, with Python 3.11 to 3.13"),
}
"""How people call a package, and how they get it."""


def is_installed(package: str) -> bool:
    """Return whether a package can be imported; it is not."""
    return importlib.util.find_spec(package) is not None


def full_name(package: str) -> str:
    """Return how people call a package."""
    return _NAMES[package][0]


def require(*packages: str) -> None:
    """Raise MissingError, which tells how to get it, for the first package that isn't installed."""
    for package in packages:
        if not is_installed(package):
            name, remedy = _NAMES[package]
            raise MissingError(f"this needs {name}, which is not installed here: {remedy}")


def undocumented(owner: Any, name: str, written_for: str) -> Any:
    """Return a part of a package that its makers may change without a word.

    Args:
        owner: the module or class that has it.
        name: of the part.
        written_for: package and version, such as "Keras 3.15".

    Raises:
        MissingError: this version has no such part.
    """
    try:
        return getattr(owner, name)
    except AttributeError as error:
        raise MissingError(
            f"this needs {owner.__name__}.{name} of {written_for}, which is not in the version "
            "installed here: install that one"
        ) from error
