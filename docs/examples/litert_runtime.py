"""Deblur a video with LiteRT alone.

deblur export --format litert --size 1280x720 tiny.tflite
python litert_runtime.py tiny.tflite blurred.mp4 sharp.mkv
"""

import os
import sys

from ai_edge_litert.interpreter import Interpreter
from video import deblur

model, source, target = sys.argv[1:]
interpreter = Interpreter(model, num_threads=os.cpu_count())
step = interpreter.get_signature_runner("serving_default")
shapes = {name: given["shape"] for name, given in step.get_input_details().items()}
deblur(lambda inputs: step(**inputs), shapes, source, target)
