"""The step as a LiteRT file, made of a SavedModel; its state has the channels last."""

import tempfile
import warnings
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from models.export.clips import calibration_inputs
from models.export.step import Size, Step
from models.registry import Weights
from models.runtimes import available_cores, native_output_aside, tensorflow

tf = tensorflow()  # quiet only if nobody imports it before

from models.export import saved_model  # noqa: E402
from models.export.check import keras_step  # noqa: E402
from models.keras_network import assembled  # noqa: E402


def write(weights: Weights, path: Path, size: Size, precision: str = "float32") -> None:
    """Write a LiteRT file for frames of one size.

    precision: float32; float16, of the weights alone; int8, of weights and activations, whose
    ranges are those of some drawn clips. Inputs and outputs are always float32.
    """
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # the converter calibrates with TensorFlow's own interpreter, which warns of its end
        warnings.filterwarnings("ignore", "\\s*Warning: tf.lite.Interpreter", UserWarning)
        saved_model.write(weights, Path(folder), size)
        name = saved_model.SIGNATURE
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[name])
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: (
                (name, inputs)
                for inputs in calibration_inputs(
                    keras_step(assembled(weights)),
                    size,
                    weights.config.hidden,
                    channels_first=False,
                )
            )
        with native_output_aside():
            path.write_bytes(converter.convert())


def open_step(path: Path) -> Step:
    """The step of a LiteRT file, on every core."""
    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=available_cores())
    with native_output_aside():  # it names its delegate
        interpreter.allocate_tensors()
    runner = interpreter.get_signature_runner(saved_model.SIGNATURE)
    return lambda inputs: runner(**inputs)
