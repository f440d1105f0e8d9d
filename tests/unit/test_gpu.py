"""On a GPU: the engine gives what it gives on the CPU. `pytest -m gpu`; FAIL_WITHOUT_GPU=1."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from on_gpu import restored

from models.evaluation.metrics import psnr
from stream.inference.device import has_gpu

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).parents[1] / "on_gpu.py"


@pytest.fixture(scope="module", autouse=True)
def _a_gpu():
    if not has_gpu():
        (pytest.fail if os.environ.get("FAIL_WITHOUT_GPU") else pytest.skip)("no GPU here")


@pytest.fixture(scope="module")
def on_cpu():
    """Planes of each frame, from MNN: TensorFlow may see no other device than the GPU here."""
    return restored("tiny", "cpu", "float32")


def on_gpu(precision, folder, *quick):
    path = folder / "planes.npz"
    argv = [sys.executable, SCRIPT, "tiny", "gpu", precision, path, *quick]
    subprocess.run(argv, check=True)
    with np.load(path) as planes:
        arrays = [planes[name] for name in planes.files]
    return [tuple(arrays[start : start + 3]) for start in range(0, len(arrays), 3)]


@pytest.mark.parametrize(
    ("precision", "quick", "codes", "decibels"),
    [("float32", (), 1, 60), ("float16", (), 2, 55), ("auto", ("quick",), 2, 55)],
    ids=["float32", "float16", "without XLA"],
)
def test_two_streams_on_a_gpu_are_as_on_the_cpu(
    on_cpu, tmp_path, precision, quick, codes, decibels
):
    found = on_gpu(precision, tmp_path, *quick)
    assert len(found) == len(on_cpu)
    for ours, theirs in zip(found, on_cpu, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert np.abs(a.astype(int) - b).max() <= codes
            assert psnr(b, a) > decibels
