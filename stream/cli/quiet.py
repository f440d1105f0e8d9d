"""Loading TensorFlow without the dozen lines that its native code writes to standard error."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def load_tensorflow() -> None:
    """Import TensorFlow and let it look for devices; silent unless that fails.

    The lines about absent GPU drivers come before any log level is in force, so nothing but the
    file descriptor itself keeps them off the screen. Does nothing where Keras uses another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return
    with native_errors_aside():
        import tensorflow as tf

        tf.config.list_physical_devices()


@contextmanager
def native_errors_aside() -> Iterator[None]:
    """Keep what is written to file descriptor 2 in a file, and show it only after an error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(kept, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
