"""Deblur a video with TensorFlow alone: no Keras, none of this project's code.

deblur export --format saved_model --size 1280x720 tiny
python saved_model.py tiny blurred.mp4 sharp.mkv
"""

import sys

import tensorflow as tf
from video import deblur

# Where oneDNN computes, TensorFlow 2.21 fuses some activations into ones of another slope.
tf.config.optimizer.set_experimental_options({"remapping": False})

model, source, target = sys.argv[1:]
signature = tf.saved_model.load(model).signatures["serving_default"]
specs = signature.structured_input_signature[1]
shapes = {name: spec.shape for name, spec in specs.items()}


def step(inputs):
    """The names of inputs and outputs are the same for every runtime."""
    outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


deblur(step, shapes, source, target)
