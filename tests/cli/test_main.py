import errno
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest
from clips import Clip

from stream.cli import COMMANDS, main


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_needs_no_heavy_library(command):
    code = f"""
import sys
from stream.cli import main
try:
    main([*{[command] if command else []}, "--help"])
except SystemExit as end:
    assert end.code == 0
heavy = {{"tensorflow", "keras"{', "av", "cv2", "numpy"' * (not command)}}} & set(sys.modules)
assert not heavy, heavy
"""
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert "usage: deblur" in result.stdout


@pytest.mark.parametrize(
    "argv",
    [
        ["clean", "in.mp4", "out.mp4"],
        ["live", "test:64x64@30", "--null", "--duration", "0.1"],
        ["models"],
    ],
)
@pytest.mark.parametrize("amx", [False, True])
def test_frames_are_deblurred_by_mnn_alone(argv, amx, clip, tmp_path):
    """The others take seconds to import, and a new Python or system has none of them for long."""
    others = ["tensorflow", "keras", "onnxruntime", "openvino"]
    result = run_without(others, argv, clip, tmp_path, amx=amx)
    assert result.returncode == 0, result.stderr


def run_without(packages, argv, clip, folder, *, amx=False):
    """Run a command line in a process that has none of these packages, and perhaps a GPU's driver.

    Needs "in.mp4" as an input.
    """
    (folder / "in.mp4").write_bytes(clip(Clip(frames=3)).read_bytes())
    return run_python(f"""
import os, sys
from pathlib import Path
os.chdir({str(folder)!r})
sys.modules.update(dict.fromkeys({packages!r}))  # an import fails
from stream.inference import backends, device
backends.has_amx = lambda: {amx}
device.GPU_DRIVERS = (Path({str(folder)!r}),) if "tensorflow" in {packages!r} else ()
from stream.cli import main
sys.exit(main({argv!r}))
""")


CLEAN_IT = ["clean", "in.mp4", "out.mp4", "--model", "tiny"]


@pytest.mark.parametrize(
    ("missing", "runtime"),
    [(["MNN"], "ONNX Runtime"), (["MNN", "onnxruntime"], "TensorFlow")],
)
def test_another_runtime_takes_the_place_of_mnn_and_it_is_said_once(
    missing, runtime, clip, tmp_path
):
    """MNN has no packages for Windows on Arm, nor for systems with musl."""
    result = run_without(missing, CLEAN_IT, clip, tmp_path)
    said = f"deblur: MNN is not installed here: {runtime} computes, more slowly\n"
    assert (result.returncode, result.stderr) == (0, said)
    assert (tmp_path / "out.mp4").exists()


TENSORFLOW = "TensorFlow, which is not installed here: pip install tensorflow"


@pytest.mark.parametrize(
    ("missing", "argv", "needed"),
    [
        (["MNN", "onnxruntime", "tensorflow"], CLEAN_IT, "MNN, which"),
        (["MNN"], [*CLEAN_IT, "--runtime", "mnn"], "MNN, which is not installed here: pip"),
        (["onnxruntime"], [*CLEAN_IT, "--precision", "int8"], "ONNX Runtime, which"),
        (["openvino"], [*CLEAN_IT, "--runtime", "openvino"], "OpenVINO, which"),
        (["ai_edge_litert"], [*CLEAN_IT, "--runtime", "litert"], "LiteRT, which"),
        *(
            (["tensorflow"], argv, TENSORFLOW)
            for argv in (
                [*CLEAN_IT, "--runtime", "tensorflow"],
                [*CLEAN_IT, "--runtime", "litert"],
                [*CLEAN_IT, "--device", "gpu"],
                [*CLEAN_IT, "--precision", "bfloat16"],
                ["bench", "--frames", "1"],
                ["train", "--data", ".", "--out", "run", "--steps", "1"],
                ["export", "--format", "onnx", "a.onnx"],
                ["export", "--format", "saved_model", "a"],
            )
        ),
        (["keras"], ["train", "--data", ".", "--out", "run"], "Keras, which"),
    ],
)
def test_what_is_not_installed_is_one_line(missing, argv, needed, clip, tmp_path):
    """TensorFlow comes months after a new Python."""
    result = run_without(missing, argv, clip, tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"deblur: this needs {needed}")
    assert result.stderr.count("\n") == 1


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"\n    {command} " in shown for command in COMMANDS)


CLEAN = ["clean", "a.mp4", "b.mp4"]
TRAIN = ["train", "--data", "."]
BENCH = ["bench"]
LIVE = ["live", "test:", "--null"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "required: COMMAND"),
        (["polish"], "invalid choice: 'polish'"),
        (["clean", "http://me:se/c@host/x.mp4", "b.mp4"], "http://me:***@host/x.mp4 is an address"),
        (["clean", "a.mp4", "rtmp://host/x"], "`deblur live` takes addresses"),
        (["clean"], "required: INPUT... [OUTPUT]"),
        (["clean", "."], ". is a folder: name another for what is made of its videos"),
        (["clean", "a"], "a has no ending: name OUTPUT, too"),
        (["clean", "a.mp4", "--quick", "b.mp4"], "unrecognized arguments: --quick"),
        (["live", "test:", "--null", "more"], "unrecognized arguments: more"),
        ([*CLEAN, "--device", "abacus"], "invalid choice: 'abacus'"),
        *(
            ([*CLEAN, "--start", bad], f"{bad!r} is not a time such as")
            for bad in ("-1", "1:2:3:4", "1e3", "x")
        ),
        ([*CLEAN, "--start", "9", "--end", "1"], "nothing between 0:09 and 0:01"),
        ([*CLEAN, "--compare", "below"], "invalid choice: 'below'"),
        ([*CLEAN, "--crf", "-1"], "--crf: '-1' is not a whole number from 0 up"),
        ([*CLEAN, "--crf", "64"], "--crf is 0 (best) to 63 (smallest), not 64"),
        ([*CLEAN, "--codec", "foo"], "no codec 'foo'; --codec is one of h264, hevc, "),
        (["clean", "a.mp4", "c.mp4", "out/", "--codec", "foo"], "no codec 'foo'"),
        (["clean", "a.mp4", "b.wmv"], "no container is known by '.wmv'; use one of .avi, "),
        (["clean", "a.mp4", "b.png"], "would be one picture; number them"),
        ([*CLEAN, "--preset", "nonsense"], "no --preset nonsense; it has ultrafast, "),
        ([*CLEAN, "--codec", "av1", "--preset", "fast"], "libsvtav1 has no --preset fast; it has"),
        ([*CLEAN, "--codec", "hevc", "--crf", "52"], "libx265 has --crf 0 to 51, not 52"),
        *(
            ([*argv, "--model", "none"], "no model 'none': give one of tiny, small, base")
            for argv in (
                CLEAN,
                BENCH,
                ["live", "test:"],
                ["serve"],
                ["demo"],
                ["eval", "--blur", "a", "--sharp", "b"],
                ["export", "--format", "onnx", "a.onnx"],
                [*TRAIN, "--out", "run"],
            )
        ),
        ([*TRAIN, "--out", "run", "--from", "none.npz"], "no model 'none.npz': give one of"),
        (["live", "test:", "--out", "a.wmv"], "a live recording ends in one of"),
        (["live", "test:", "--out", "ftp://host/a"], "nothing is sent by ftp; use one of"),
        ([*CLEAN, "--gpu-share", "half"], "'half' is not a number above 0 and up to 1"),
        *(
            ([*CLEAN, "--cluster", bad], f"{bad!r} is neither auto nor HOST:PORT")
            for bad in ("foo", "foo:", ":1", "foo:65536")
        ),
        ([*CLEAN, "--cluster", "auto", "--dry-run"], "leave out --cluster"),
        ([*LIVE, "--precision", "int8", "--device", "gpu"], "int8 is for the CPU"),
        ([*LIVE, "--precision", "int8", "--runtime", "mnn"], "mnn computes in float32: use"),
        ([*LIVE, "--precision", "bfloat16", "--runtime", "mnn"], "mnn computes in float32 on"),
        ([*LIVE, "--precision", "float16", "--device", "cpu"], "float16 is for GPUs"),
        ([*BENCH, "--size", "large"], "'large' is not a size such as 1280x720"),
        ([*BENCH, "--size", "0x720"], "'0x720' is not a size"),
        ([*BENCH, "--frames", "0"], "'0' is not a whole number from 1 up"),
        ([*BENCH, "--frames", "few"], "'few' is not a whole number from 1 up"),
        ([*BENCH, "--plot", "a.svg"], "--plot needs --pairs"),
        ([*BENCH, "--peer", "a.onnx"], "--peer needs --pairs"),
        (["live", "--null"], "SOURCE is missing"),
        (["live", "test:", "--duration", "long"], "'long' is not a number above 0"),
        (["serve", "--port", "x"], "'x' is not a port from 0 to 65535"),
        (["serve", "--port", "65536"], "'65536' is not a port from 0 to 65535"),
        (["train", "--out", "run"], "required: --data"),
        (TRAIN, "--out is missing"),
        ([*TRAIN, "--steps", "5", "--minutes", "5"], "not allowed with"),
        ([*TRAIN, "--crop", "7"], "'7' is not a multiple of 16 from 16 up"),
        ([*TRAIN, "--learning-rate", "0"], "'0' is not a number above 0"),
        (["eval", "--blur", "a"], "required: --sharp"),
        (["export", "--format", "onnx", "a.foo"], "give a name that ends in .onnx"),
        (["export", "--format", "onnx", "--precision", "float16", "a.onnx"], "can't be float16"),
    ],
)
def test_wrong_usage_is_one_line_behind_the_usage_and_exits_with_2(
    argv, says, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("models.runtimes._silently", lambda *given: pytest.fail("loaded"))
    with pytest.raises(SystemExit, match="2"):
        main(argv)
    usage, error = capsys.readouterr().err.rsplit("\n", 2)[:2]
    assert usage.startswith(f"usage: deblur {argv[0] if argv[:1] != ['polish'] and argv else ''}")
    assert says in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["clean", "none.mp4", "out.mp4"], "none.mp4 does not exist"),
        (["clean", ".", "out", "--pattern", "*.mov"], "there is no video named *.mov in ."),
        (["eval", "--blur", "none", "--sharp", "none"], "none does not exist"),
        *(
            ([*argv, path], f"{path} can't be written: {why}")
            for argv in (
                ["clean", "in.mp4", "out.mp4", "--report"],
                ["live", "test:", "--null", "--report"],
                ["bench", "--json"],
                ["bench", "--pairs", "blur", "sharp", "--plot"],
                ["eval", "--blur", "blur", "--sharp", "sharp", "--json"],
                ["eval", "--blur", "blur", "--sharp", "sharp", "--sheet"],
                ["train", "--data", ".", "--preview"],
            )
            for path, why in (("none/a", "No such file"), (".", "it is a folder"))
        ),
    ],
)
def test_a_failure_is_one_line_and_exits_with_1(argv, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.startswith("deblur: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["nowhere/out.mp4"], "the folder nowhere does not exist"),
        (["out.webm", "--codec", "h264"], "refuses"),
        (["out.mp4", "--start", "1:00"], "in.mp4 shows nothing between 1:00 and the end"),
        (["taken.mp4"], "taken.mp4 exists"),
        (["taken.mp4", "--dry-run"], "taken.mp4 exists"),
    ],
)
def test_what_cannot_be_done_is_said_before_tensorflow_loads(
    more, says, clip, tmp_path, monkeypatch, capsys
):
    (tmp_path / "in.mp4").write_bytes(clip(Clip(frames=3)).read_bytes())
    (tmp_path / "taken.mp4").write_text("mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # an import fails
    monkeypatch.setitem(sys.modules, "keras", None)
    assert main(["clean", "in.mp4", *more]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "taken.mp4"}


def test_a_name_that_is_no_text_is_printed_all_the_same(clip, tmp_path):
    (tmp_path / "out").mkdir()
    for folder, name in (("", b"caf\xe9.mp4"), ("out", b"caf\xe9.mp4")):
        (tmp_path / folder / os.fsdecode(name)).write_bytes(clip(Clip(frames=3)).read_bytes())
    result = subprocess.run(
        [sys.executable, "-m", "stream", "clean", "--dry-run", tmp_path, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "caf\\udce9.mp4: exists, would be skipped" in result.stdout


HALF_IMPORTED = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    sum(range(1000))
except KeyboardInterrupt:  # as TensorFlow's own parts do
    raise ImportError("half a library")
class config:
    list_physical_devices = list
"""


def test_ctrl_c_during_the_import_of_tensorflow_takes_effect_after_it(tmp_path):
    (tmp_path / "tensorflow.py").write_text(HALF_IMPORTED)
    result = subprocess.run(
        [sys.executable, "-m", "stream", "bench"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stderr) == (130, "deblur: interrupted\n")


def test_ctrl_c_while_a_command_is_imported_is_one_line(capsys, monkeypatch):
    def interrupted(command):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("stream.cli._module", interrupted)
    assert main(["clean", "--help"]) == 130
    assert capsys.readouterr().err == "deblur: interrupted\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [["models"], ["clean", "in.mp4", "out.mp4"]])
def test_nobody_reading_the_output_is_no_traceback(argv, unbuffered, clip, tmp_path):
    (tmp_path / "in.mp4").write_bytes(clip(Clip(frames=3)).read_bytes())
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        result = subprocess.run(
            [sys.executable, "-m", "stream", *argv],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert (result.returncode, result.stderr) == (1, "")
    assert (tmp_path / "out.mp4").exists() is (argv[0] == "clean")


def test_the_version_is_that_of_the_package():
    """Quickly: told by metadata alone."""
    result = run_python("""
import sys
from stream.cli import main
try:
    main(["--version"])
except SystemExit as end:
    assert end.code == 0
assert not {"tensorflow", "keras", "av", "cv2", "numpy"} & set(sys.modules)
""")
    assert (result.returncode, result.stdout) == (0, f"deblur {version('deblurstream')}\n")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError("strange\nthings"), "ValueError: strange (test_main.py, line "),
        (ZeroDivisionError(), "ZeroDivisionError (test_main.py, line "),
        (OSError(errno.EIO, "Input/output error", "a.bin"), "a.bin: Input/output error\n"),
        (MemoryError(), "out of memory (MemoryError): "),
        (RuntimeError("RESOURCE_EXHAUSTED: 9 GB"), "out of memory (RuntimeError: RESOURCE_EXHAUS"),
    ],
)
def test_an_error_that_nobody_foresaw_is_one_line_too(error, says, capsys, monkeypatch):
    def run(options):
        raise error

    monkeypatch.setattr("stream.cli.models.run", run)
    assert main(["models"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"deblur: {says}")
    assert said.count("\n") == 1
    with pytest.raises(type(error)):
        main(["models", "--debug"])


def test_debug_shows_the_traceback(tmp_path):
    from stream.errors import OpenError

    with pytest.raises(OpenError):
        main(["clean", str(tmp_path / "none.mp4"), "out.mp4", "--debug"])


ARROWS = {
    "stream.frame": {"av", "cv2", "tensorflow", "keras", "models.planes"},
    "stream.channel": {"av", "cv2", "tensorflow", "keras", "models.planes", "numpy"},
    "stream.pipeline": {"av", "cv2", "tensorflow", "keras", "models.planes"},
    "stream.capture.file": {"cv2", "tensorflow", "keras", "models.planes", "stream.output"},
    "stream.output.file": {"cv2", "tensorflow", "keras", "models.planes", "stream.capture"},
    "stream.capture.address, stream.capture.feed, stream.capture.camera": {
        *("tensorflow", "keras", "models.planes", "stream.output", "stream.inference"),
    },
    "stream.output.tee, stream.output.live_video, stream.output.window": {
        *("tensorflow", "keras", "models.planes", "stream.capture", "stream.inference"),
    },
    "stream.inference.overload": {"tensorflow", "keras", "models.planes", "stream.capture"},
    "stream.live": {"av", "cv2", "tensorflow", "keras", "models.planes"},
    "stream.jobs.clean": {"cv2", "tensorflow", "keras", "models.planes", "stream.inference"},
    "stream.inference.shared": {"av", "cv2", "tensorflow", "keras", "models.planes"},
    "stream.serve.app": {"tensorflow", "keras", "models.planes"},
    "stream.inference.deblurrer, stream.inference.host_engine, models.networks.mnn": {
        *("tensorflow", "keras", "models.training", "models.evaluation", "models.export"),
    },
    "models.training.trainer, models.training.publish": {"stream"},
    "models.training.synthesis": {"stream", "tensorflow", "keras"},
    "models.training.pool": {"stream", "tensorflow", "keras"},
}


@pytest.mark.parametrize("modules", ARROWS)
def test_no_room_imports_against_the_arrows(modules):
    found = f"{ARROWS[modules]!r} & set(sys.modules)"
    result = run_python(f"import sys, {modules}; found = {found}; assert not found, found")
    assert result.returncode == 0, result.stderr
