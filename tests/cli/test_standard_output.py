"""Standard output is ours, whatever library computes: scripts read it."""

import os
import re
import subprocess
import sys

import pytest
from clips import Clip

RUNTIMES = ("mnn", "onnx", "openvino", "litert", "tensorflow")


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_runtime_adds_a_line_to_what_is_printed(runtime, times, clip, tmp_path, random_model):
    """Nor to standard error, in processes that end as those of users do.

    There is nothing but the progress, if it takes long.

    PYTHONUNBUFFERED would take the buffers of C away, too, in which lines wait for the end.
    """
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    source.write_bytes(clip(Clip(frames=3)).read_bytes())
    options = ("--model", random_model, "--runtime", runtime, "--device", "cpu", "--overwrite")
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-m", "stream", "clean", source, target, *options],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )
        assert done.returncode == 0, done.stderr
        others = [line for line in done.stderr.splitlines() if not line.startswith("in.mp4: frame")]
        assert others == []
        ours = rf"{target}: 3 frames in [^\n]+ fps\n  [^\n]+; {source} has [^\n]+\n"
        assert re.fullmatch(ours, done.stdout), done.stdout
