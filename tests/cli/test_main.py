import subprocess
import sys

import pytest

from stream.cli import COMMANDS, main


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


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


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"\n    {command} " in shown for command in COMMANDS)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["polish"],
        ["clean"],
        ["clean", "a.mp4"],
        ["clean", "a.mp4", "b.mp4", "--device", "abacus"],
        *(["clean", "a.mp4", "b.mp4", "--start", bad] for bad in ("-1", "1:2:3:4", "1e3", "x")),
        ["clean", "a.mp4", "b.mp4", "--compare", "below"],
        ["bench", "--size", "large"],
        ["bench", "--size", "0x720"],
        ["bench", "--frames", "0"],
        ["train", "--steps", "5", "--minutes", "5"],
        ["eval", "--blur", "a"],
    ],
)
def test_wrong_usage_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as end:
        main(argv)
    assert end.value.code == 2
    assert "usage: deblur" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["clean", "none.mp4", "out.mp4"], "none.mp4 does not exist"),
        (["clean", "a.mp4", "b.mp4", "--start", "9", "--end", "1"], "nothing between 0:09"),
        (["clean", ".", "out", "--pattern", "*.mov"], "there is no video named *.mov in ."),
        (["eval", "--blur", "none", "--sharp", "none"], "none does not exist"),
        (["train", "--out", "run"], "--data is missing"),
        (["train", "--data", "."], "--out is missing"),
        (["train", "--data", ".", "--out", "run", "--model", "huge"], "no model 'huge'"),
        (["bench", "--model", "none.npz"], "no model 'none.npz'"),
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


def test_debug_shows_the_traceback(tmp_path):
    from stream.errors import OpenError

    with pytest.raises(OpenError):
        main(["clean", str(tmp_path / "none.mp4"), "out.mp4", "--debug"])


ARROWS = {
    "stream.frame": {"av", "cv2", "tensorflow", "keras", "models"},
    "stream.channel": {"av", "cv2", "tensorflow", "keras", "models", "numpy"},
    "stream.pipeline": {"av", "cv2", "tensorflow", "keras", "models"},
    "stream.capture.file": {"cv2", "tensorflow", "keras", "models", "stream.output"},
    "stream.output.file": {"cv2", "tensorflow", "keras", "models", "stream.capture"},
    "stream.jobs.clean": {"cv2", "tensorflow", "keras", "models", "stream.inference"},
    "stream.inference.shared": {"av", "cv2", "tensorflow", "keras", "models"},
    "stream.serve.app": {"tensorflow", "keras", "models"},
    "models.training.trainer, models.training.publish": {"stream"},
    "models.training.synthesis": {"stream", "tensorflow", "keras"},
    "models.training.pool": {"stream", "tensorflow", "keras"},
}


@pytest.mark.parametrize("modules", ARROWS)
def test_no_room_imports_against_the_arrows(modules):
    found = f"{ARROWS[modules]!r} & set(sys.modules)"
    result = run_python(f"import sys, {modules}; found = {found}; assert not found, found")
    assert result.returncode == 0, result.stderr
