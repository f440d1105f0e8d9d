"""The library: what its names promise, and the examples of the documentation."""

import ast
import runpy
import subprocess
import sys
import threading
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from clips import Clip, make_clip
from fakes import FakeProcessor, FakeSource, InjectedError
from waiting import HANG_S

import stream
from stream import deblurred, from_rgb, to_rgb
from stream.capture.scene import SceneSource
from stream.frame import ColorTags, Frame, Planes

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def test_every_name_is_there_and_importing_them_is_light():
    for name in stream.__all__:
        assert getattr(stream, name).__name__ == name
    assert set(stream.__all__) <= set(dir(stream))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stream.nothing
    heavy = "{'av', 'cv2', 'keras', 'numpy', 'tensorflow'}"
    code = f"import sys, stream; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_loop_over_a_recorded_source_gets_every_frame():
    source = FakeSource(30)
    assert [frame.index for frame in deblurred(source, FakeProcessor())] == list(range(30))
    assert source.calls[-1] == "close source"


def test_leaving_the_loop_ends_everything():
    source, processor = FakeSource(10**9), FakeProcessor()
    for frame in deblurred(source, processor):
        if frame.index == 5:
            break
    assert source.calls[-1] == "close source"
    assert processor.calls[-1] == "close processor"
    assert not [thread for thread in threading.enumerate() if thread.name == "output"]


def test_a_slow_loop_over_a_live_source_gets_the_latest_frame():
    """It takes its second frame only when the source has delivered all."""
    source = FakeSource(50, live=True)
    ended = threading.Event()
    source.close = ended.set
    frames = []
    for frame in deblurred(source, FakeProcessor()):
        frames.append(frame)
        assert ended.wait(HANG_S)
    assert frames[-1].index == 49
    assert len(frames) + sum(frame.gap for frame in frames) == 50


@pytest.mark.parametrize(
    ("source", "processor"),
    [
        (FakeSource(9, point="read", position=4), FakeProcessor()),
        (FakeSource(9), FakeProcessor(point="process", position=4)),
    ],
)
def test_an_error_comes_out_of_the_loop(source, processor):
    with pytest.raises(InjectedError):
        list(deblurred(source, processor))


def test_rgb_arrays_go_in_and_out_unchanged():
    picture = np.random.default_rng(2).integers(0, 255, (47, 63, 3), np.uint8)
    planes = from_rgb(picture)
    frame = Frame(planes=planes, pts=0, time_base=Fraction(1), color=ColorTags(2, matrix=0))
    np.testing.assert_array_equal(to_rgb(frame), picture)
    for wrong in (picture[..., 0], picture.astype(np.float32), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8 RGB"):
            from_rgb(wrong)


@pytest.mark.parametrize(
    ("matrix", "luma"), [(1, 63), (6, 81)]
)  # of pure red, in BT.709 and BT.601
def test_frames_become_rgb_by_their_own_tags(matrix, luma):
    chroma = {1: (102, 240), 6: (90, 240)}[matrix]
    shapes = ((16, 16), (8, 8), (8, 8))
    values = (luma, *chroma)
    arrays = (np.full(s, v, np.uint8) for s, v in zip(shapes, values, strict=True))
    frame = Frame(
        planes=Planes(tuple(arrays)), pts=0, time_base=Fraction(1), color=ColorTags(1, 1, 1, matrix)
    )
    red = to_rgb(frame)[8, 8].astype(int)
    assert np.abs(red - (255, 0, 0)).max() <= 3


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["example"])
    return tmp_path


def test_the_example_with_pictures(here, capsys):
    runpy.run_path(str(EXAMPLES / "pictures.py"))
    assert capsys.readouterr().out == "(120, 160, 3) uint8\n" * 3


def test_the_example_with_a_camera(here, capsys):
    runpy.run_path(str(EXAMPLES / "camera.py"))
    assert "(180, 320, 3)" in capsys.readouterr().out


def test_the_example_that_records(here, capsys):
    import av

    runpy.run_path(str(EXAMPLES / "record.py"))
    said = capsys.readouterr().out
    assert "captured" in said
    with av.open(str(here / "sharp.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 10


def test_the_example_that_cleans(here, monkeypatch, capsys):
    make_clip(here / "in.mkv", Clip(".mkv", width=64, height=48, frames=6))
    monkeypatch.setattr(sys, "argv", ["clean.py", "in.mkv", "out.mkv"])
    runpy.run_path(str(EXAMPLES / "clean.py"))
    assert capsys.readouterr().out == "6 frames\n"
    assert (here / "out.mkv").exists()
    monkeypatch.setattr(sys, "argv", ["clean.py", "none.mkv", "out.mkv"])
    with pytest.raises(SystemExit, match=r"none.mkv is as it was.* does not exist"):
        runpy.run_path(str(EXAMPLES / "clean.py"))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_no_example_needs_more_than_the_names_of_the_library(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert not [name for name in modules if name.startswith(("stream.", "models"))]


def test_the_version_is_that_of_the_package():
    assert stream.__version__ == version("deblurstream")
    assert "__version__" in dir(stream)


def test_there_is_a_test_for_every_example():
    tested = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    examples = {path.name for path in EXAMPLES.glob("*.py")} - {"video.py"}  # the runtimes' helper
    assert [name for name in examples if f'"{name}"' not in tested] == []


def test_pictures_one_by_one_are_a_stream_of_their_own():
    """The second picture's result depends on the first: the state goes on."""
    deblur = stream.Deblurrer("tiny", device="cpu", precision="float32")
    first, second = (to_rgb(frame) for frame in SceneSource(128, 96, 2).frames())
    alone = stream.Deblurrer("tiny", device="cpu", precision="float32")(second)
    assert (deblur(first) != first).any()
    after = deblur(second)
    assert after.shape == second.shape
    assert (after != alone).any()


def test_a_second_thread_is_refused_instead_of_mixing_states(monkeypatch):
    deblur = stream.Deblurrer("tiny", runtime="mnn")
    picture = np.zeros((32, 48, 3), np.uint8)
    inside, go_on = threading.Event(), threading.Event()
    run = deblur.engine.run

    def waiting(*args):
        inside.set()
        assert go_on.wait(HANG_S)
        return run(*args)

    monkeypatch.setattr(deblur.engine, "run", waiting)
    other = threading.Thread(target=deblur, args=(picture,))
    other.start()
    assert inside.wait(HANG_S)
    with pytest.raises(RuntimeError, match="another thread is using this Deblurrer"):
        deblur(picture)
    go_on.set()
    other.join()
    assert deblur(picture).shape == picture.shape


def test_a_program_can_begin_afresh():
    first, second = (to_rgb(frame) for frame in SceneSource(128, 96, 2).frames())
    with stream.Deblurrer("tiny", runtime="mnn") as deblur:
        deblur(first)
        deblur.reset()
        afresh = deblur(second)
    np.testing.assert_array_equal(afresh, deblur(second))  # closed, it has forgotten all
    assert deblur.resets[stream.Discontinuity.SEEK] == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"device": "abacus"}, "no device 'abacus': give one of auto, cpu, gpu"),
        ({"precision": None}, "no precision None: give one of auto, float32, "),
        ({"runtime": "theano"}, "no runtime 'theano': give one of auto, mnn, "),
        ({"model": None}, "no model None: give a name or a path"),
        ({"strength": None}, "strength is None: give a number from 0 to 1.5"),
        ({"strength": float("nan")}, "strength is nan: give a number"),
    ],
)
def test_what_does_not_exist_is_refused_in_a_sentence(wrong, says):
    with pytest.raises(stream.DeblurError, match=says):
        stream.Deblurrer(**wrong)
