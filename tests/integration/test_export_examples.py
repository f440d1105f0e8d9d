"""The examples of docs/ run as they stand, and give what `deblur clean` gives, not mended."""

import gc
import runpy
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Clip

from models import registry
from models.export.formats import FORMATS, write_step
from stream.capture.file import FileSource
from stream.inference.deblurrer import Deblurrer
from stream.pixel_format import read_planes

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SPEC = Clip(width=70, height=50, frames=3)  # the fourth would be of another scene
RUNS = {
    "saved_model": "saved_model.py",
    "litert": "litert_runtime.py",
    "onnx": "onnx_runtime.py",
    "openvino": "openvino_runtime.py",
}


@pytest.fixture(scope="module")
def expected(clip, random_model):
    """Luma of each frame, as it was and as `deblur clean` leaves it."""
    source = FileSource(clip(SPEC))
    choices = {"device": "cpu", "precision": "float32", "look_ahead": True}
    deblurrer = Deblurrer(random_model, mend=False, **choices)
    try:
        frames = list(source.frames())
    finally:
        source.close()
    restored = [made for frame in frames for made in deblurrer.process(frame)]
    restored += deblurrer.flush()
    return [[frame.planes.arrays[0] for frame in clip] for clip in (frames, restored)]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_example_gives_what_deblur_clean_gives(
    kind, clip, random_model, expected, tmp_path, monkeypatch
):
    model = tmp_path / f"model{FORMATS[kind].suffix}"
    write_step(registry.load(random_model), kind, model, (SPEC.height, SPEC.width))
    target = tmp_path / "sharp.mkv"
    monkeypatch.setattr(sys, "argv", ["example", str(model), str(clip(SPEC)), str(target)])
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")  # else it opens a file for its reports
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(EXAMPLES / RUNS[kind]))
    gc.collect()  # a program's names and functions hold each other, and OpenVINO its file
    with av.open(str(target)) as container:
        found = [read_planes(frame).arrays[0] for frame in container.decode(video=0)]
    assert len(found) == SPEC.frames
    for before, wanted, got in zip(*expected, found, strict=True):
        assert np.abs(wanted.astype(int) - got).max() <= 1
        assert np.abs(before.astype(int) - got).max() > 2
