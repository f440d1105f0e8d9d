"""What can go wrong with models, for a reason outside the program; `stream.errors` draws the tree.

Each message is one line: what happened, where, and what to do.
"""


class DeblurError(Exception):
    """Anything that goes wrong for a reason outside the program."""


class ModelError(DeblurError):
    """A model cannot be loaded, run, scored, trained or exported."""


class MissingError(ModelError):
    """A library that is needed is not installed."""


class WeightsError(ModelError):
    """A model or a weights file that is missing, damaged, or of another architecture."""


class ClipError(ModelError):
    """Material for scores or training that is missing, unreadable or does not match."""


class TrainingError(ModelError):
    """A run that can't begin or go on."""


class ExportError(ModelError):
    """A model that can't be exported, or whose exported file does not compute the same."""


class MismatchError(ModelError):
    """A library that computes something else than the network on this machine."""


_OUT_OF_MEMORY = (
    "out of memory",
    "oom when",
    "resource_exhausted",
    "resourceexhausted",
    "failed to allocate",
    "bad_alloc",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library failed for want of memory, a GPU's or the machine's.

    TensorFlow, JAX, ONNX Runtime, OpenVINO and CUDA have no kind of error for it in common, so
    their words are looked at.
    """
    words = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(each in words for each in _OUT_OF_MEMORY)
