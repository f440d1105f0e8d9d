"""The step as a LiteRT file, made of a SavedModel; its state has the channels last."""

import tempfile
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from models.export.step import Size, Step
from models.registry import Weights
from models.runtimes import available_cores, native_output_aside, tensorflow

tf = tensorflow()  # quiet only if nobody imports it before

from models.export import saved_model  # noqa: E402


def write(weights: Weights, path: Path, size: Size, precision: str = "float32") -> None:
    """Write a LiteRT file for frames of one size.

    precision: float32; float16, of the weights alone; int8, of the weights, and of activations as
    they come: with ranges fixed beforehand the network lost 0.2 to 0.4 dB. Inputs and outputs are
    always float32.
    """
    with tempfile.TemporaryDirectory() as folder:
        saved_model.write(weights, Path(folder), size)
        path.write_bytes(_converted(folder, precision))


def network(weights: Weights, size: Size, precision: str) -> bytes:
    """Return a LiteRT file of the network alone; see `saved_model.write_network`."""
    with tempfile.TemporaryDirectory() as folder:
        saved_model.write_network(weights, Path(folder), size)
        return _converted(folder, precision)


def _converted(folder: str, precision: str) -> bytes:
    name = saved_model.SIGNATURE
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with native_output_aside():
        content: bytes = converter.convert()
    return content


def open_step(path: Path) -> Step:
    """Open the step of a LiteRT file, on every core."""
    return runner(path.read_bytes())


def runner(content: bytes) -> Step:
    """Open the one signature of a LiteRT file, on every core."""
    interpreter = Interpreter(model_content=content, num_threads=available_cores())
    with native_output_aside():  # it names its delegate
        interpreter.allocate_tensors()
    run = interpreter.get_signature_runner(saved_model.SIGNATURE)
    return lambda inputs: run(**inputs)
