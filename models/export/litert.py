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
        name = saved_model.SIGNATURE
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        with native_output_aside():
            path.write_bytes(converter.convert())


def open_step(path: Path) -> Step:
    """The step of a LiteRT file, on every core."""
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=available_cores())
    with native_output_aside():  # it names its delegate
        interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner(saved_model.SIGNATURE)
    return lambda inputs: runner(**inputs)
