"""Deblur a video with ONNX Runtime alone.

deblur export --format onnx --size 1280x720 tiny.onnx
python onnx_runtime.py tiny.onnx blurred.mp4 sharp.mkv
"""

import sys

import onnxruntime
from video import deblur

model, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
shapes = {given.name: given.shape for given in session.get_inputs()}


def step(inputs):
    """The names of inputs and outputs are the same for every runtime."""
    return dict(zip(names, session.run(names, inputs), strict=True))


deblur(step, shapes, source, target)
