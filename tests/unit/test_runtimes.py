"""Other people's runtimes are quiet about who uses them."""

import errno
import os
import subprocess
import sys

import pytest

from models import onnx_graph, registry
from models.errors import ExportError
from models.runtimes import MnnSession, mnn_model

IMPORTS = """
from onnx import TensorProto, helper
import numpy as np
from models.runtimes import MnnSession, mnn_model, onnx_session, openvino
ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4, 2, 2]) for n in "xy"]
graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", ends[:1], ends[1:])
made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
onnx_session(made.SerializeToString())
openvino().Core()
mnn = MnnSession(mnn_model(made.SerializeToString()), 2)
given, back = mnn.tensor(4, 2, 2), mnn.tensor(4, 2, 2)
given.values[...] = np.arange(16).reshape(1, 2, 2, 4)
given.copy_to(mnn.inputs["x"])
mnn.run()
back.copy_from(mnn.outputs["y"])
assert back.values.any() and (back.values == given.values).all()
import sys
print(sys.modules.get("openvino_telemetry"))
"""

LITERT = """
import sys
from pathlib import Path
import numpy as np
from models import registry
from models.export.formats import open_step, write_step
from models.export.step import HIDDEN, fresh_hidden, input_names, plane_shapes
weights, path, size = registry.load(sys.argv[1]), Path(sys.argv[2]), (32, 32)
for precision in ("float32", "int8"):
    write_step(weights, "litert", path, size, precision)
    inputs = {
        name: np.zeros((1, *shape), np.float32)
        for name, shape in zip(input_names(weights.neighbours), 3 * plane_shapes(size))
    }
    hidden = fresh_hidden(size, weights.config.hidden, channels_first=False)
    print(len(open_step("litert", path)(inputs | {HIDDEN: hidden})))
"""


def test_what_mnn_cannot_convert_is_one_line():
    with pytest.raises(ExportError, match=r"^MNN's converter failed on network\.onnx: .+$"):
        mnn_model(b"no model")


def test_a_full_temporary_folder_is_one_line(monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(ExportError, match=r"temporary files \(No space left on .*: set TMPDIR"):
        mnn_model(b"model")
    with pytest.raises(ExportError, match=r"temporary files \(No space left on .*: set TMPDIR"):
        MnnSession(b"model", 2)


def test_a_module_in_the_current_folder_is_not_the_converter(tmp_path, monkeypatch, random_model):
    (tmp_path / "_tools.py").write_text("open('taken', 'w').close()")
    monkeypatch.chdir(tmp_path)
    mnn_model(onnx_graph.network(registry.load(random_model)))
    assert not (tmp_path / "taken").exists()


def test_nothing_is_reported_or_left_behind(tmp_path):
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS],
        env=environment | places,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "None\n", done.stderr
    assert not list(tmp_path.iterdir())


def test_litert_says_nothing_of_its_own(tmp_path, random_model):
    """TensorFlow's converter, which makes its files, wrote twenty lines."""
    done = subprocess.run(
        [sys.executable, "-c", LITERT, random_model, tmp_path / "step.tflite"],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("4\n4\n", "")


CHATTY = """
import ctypes
import sys
from models.runtimes import native_output_aside
libc = ctypes.CDLL(None)
print("before")
with native_output_aside():
    libc.printf(b"the device supports nothing\\n")
    print("python's own")
print("after")
"""


def run_buffered(code):
    """As users run it: PYTHONUNBUFFERED would take the buffers of C away, too."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)


@pytest.mark.skipif(os.name == "nt", reason="another C library")
def test_what_c_has_buffered_is_kept_aside_too():
    """It would come when the process ends, where standard output is a file or a pipe."""
    done = run_buffered(CHATTY)
    assert (done.stdout, done.stderr) == ("before\nafter\n", "")


def test_mnn_has_no_line_of_its_own():
    """On processors of some kinds it tells what they support."""
    code = "from models.runtimes import _silently; _silently('MNN')"
    for _ in range(3):
        done = run_buffered(code)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


KEPT = """
import contextlib
import os
import sys
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from stream.bench.runner import Runner
from stream.inference.engines import open_engine
engine = open_engine(sys.argv[1], device="cpu", runtime=sys.argv[2])
Runner(engine, 64, 64)()
for thread in os.listdir("/proc/self/task"):
    with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
        print(*os.sched_getaffinity(int(thread)))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processors are chosen on Linux")
@pytest.mark.parametrize("runtime", ["mnn", "onnx", "openvino", "litert"])
def test_a_runtime_keeps_to_the_processors_of_the_process(runtime, random_model):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one processor only")
    result = subprocess.run(
        [sys.executable, "-c", KEPT, random_model, runtime],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(result.stdout.split()) == {str(min(os.sched_getaffinity(0)))}


INTERRUPTED = """
import os
import signal
import sys
from stream.bench.runner import Runner
from stream.inference.engines import open_engine
engines = [open_engine(sys.argv[1], device="cpu", runtime="openvino") for _ in range(2)]
for engine in engines:
    Runner(engine, 64, 64)()
del engine
while engines:
    del engines[0]
try:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(1000))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_after_openvino_s_engines_have_gone_is_no_crash(random_model):
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, random_model],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "interrupted\n"), result.stderr
