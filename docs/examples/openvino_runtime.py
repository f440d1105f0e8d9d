"""Deblur a video with OpenVINO alone.

deblur export --format openvino --size 1280x720 tiny.xml
python openvino_runtime.py tiny.xml blurred.mp4 sharp.mkv
"""

import sys

import openvino
from video import deblur

model, source, target = sys.argv[1:]
compiled = openvino.Core().compile_model(model, "CPU")
names = [output.any_name for output in compiled.outputs]
shapes = {given.any_name: list(given.shape) for given in compiled.inputs}


def step(inputs):
    """The names of inputs and outputs are the same for every runtime."""
    outputs = compiled(inputs)
    return {name: outputs[name] for name in names}


deblur(step, shapes, source, target)
