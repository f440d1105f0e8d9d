"""`deblur live`, in this process."""

import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest
from network import sender  # noqa: F401 - a fixture

import stream.cli.live
from models.registry import shipped
from stream.cli import main


def test_the_synthetic_camera(live):
    code, report, said = live("test:160x120@20", "--null", frames=20)
    assert code == 0
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]
    assert report["frames_out"] >= 20
    assert report["latency_ms"]["p95"] >= report["latency_ms"]["p50"] > 0
    assert report["source"] == "test"
    assert report["model"] == "random"
    assert "captured" in said.out


def test_a_duration_ends_it_and_begins_with_the_first_frame(live, monkeypatch):
    """The clock rings as soon as it is wound up."""
    wound = []

    class Timer(threading.Timer):
        def __init__(self, interval_s, ring):
            wound.append(interval_s)
            super().__init__(0, ring)

    monkeypatch.setattr("stream.cli.live.threading.Timer", Timer)
    code, report, _ = live("test:160x120@20", "--null", "--duration", "7200")
    assert code == 0
    assert wound == [7200]
    assert report["frames_out"] >= 1


def test_the_ladder_leads_from_nothing_to_the_best_model(live):
    code, facts, _ = live("test:64x64@2", "--null", frames=1, model="auto")
    assert code == 0
    assert facts["overload"]["levels"] == ["off", "tiny at half size", *shipped()]
    assert facts["model"] in {None, *shipped()}


@pytest.mark.parametrize("command", ["live", "serve"])
def test_a_quality_and_a_model_exclude_each_other(command, capsys):
    source = ["test:"] if command == "live" else []
    with pytest.raises(SystemExit) as end:
        main([command, *source, "--quality", "best", "--model", "tiny"])
    assert end.value.code == 2
    assert "not allowed with argument --quality" in capsys.readouterr().err


def test_a_quality_pins_the_model_that_it_names(tmp_path, capsys):
    report = tmp_path / "report.json"
    argv = ["test:64x64@2", "--null", "--duration", "0.01", "--report", str(report)]
    assert main(["live", *argv, "--quality", "fast"]) == 0
    facts = json.loads(report.read_text())
    assert facts["model"] == "tiny"
    assert facts["overload"]["levels"] == ["tiny"]
    assert "fast: by tiny, whatever it costs" in capsys.readouterr().err


@pytest.mark.parametrize("used", ["tiny", None])
def test_the_report_names_the_model_that_computed_and_its_device(used, live, monkeypatch):
    """Not the choice, and not the model that was loaded last."""
    monkeypatch.setattr("stream.cli.live.OverloadControl.model", used)
    _, facts, _ = live("test:64x64@20", "--null", frames=1, model="auto")
    assert facts["model"] == used
    there = {"device": "cpu", "precision": "float32", "runtime": "mnn"}
    assert {name: facts[name] for name in there} == (there if used else dict.fromkeys(there))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(number, live, monkeypatch):
    def on_progress(line, stats):
        if stats.frames_out == 5:
            os.kill(os.getpid(), number)

    monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)
    code, report, said = live("test:160x120@20", "--null")
    assert code == 130
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"] >= 5
    assert "captured" in said.out


def test_a_stream_that_goes_away_and_comes_back(live, sender, monkeypatch):  # noqa: F811
    """Killed after a while, started again when it is missed, and ended when it is there again."""
    far, seen = sender("http"), []
    far.start()
    say = stream.cli.live._say

    def on_message(message):
        say(message)
        if "connecting again" in message:
            far.start()
        if "there again" in message:
            seen.append(None)

    def on_progress(line, stats):
        if stats.frames_out == 10:
            far.kill()
        if seen:
            seen.append(stats.frames_out)
        if len(seen) == 12:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("stream.cli.live._say", on_message)
    monkeypatch.setattr("stream.cli.live.ProgressLine.__call__", on_progress)
    far.wait()
    code, report, said = live(far.address, "--null", "--timeout", "600")
    assert code == 130
    assert report["reconnects"] >= 1
    assert report["resets"]["reconnect"] >= 1
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]
    assert "160x120 at 20 fps, h264 yuv420p" in said.err


def test_the_list_names_what_there_is(capsys, monkeypatch):
    monkeypatch.setattr("stream.cli.live.cameras", lambda: [("camera:0", "HD Webcam")])
    monkeypatch.setattr("stream.cli.live.screens", lambda: [("screen:", "the display :0")])
    assert main(["live", "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "camera:0  HD Webcam",
        "screen:   the display :0",
        "test:     a synthetic camera",
    ]
    monkeypatch.setattr("stream.cli.live.cameras", list)
    assert main(["live", "--list"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "no camera is plugged in"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["none.mp4"], "none.mp4 is no source; give camera:N"),
        (["test:1x1"], "test:1x1 is no mode"),
        (["camera:63"], "/dev/video63 does not exist"),
    ],
)
def test_a_source_that_is_none_is_one_clear_line(argv, says, capsys):
    assert main(["live", *argv, "--null"]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere FFmpeg opens cameras")
def test_opencv_has_no_line_of_its_own_about_a_missing_camera():
    """It writes past Python's standard error."""
    result = subprocess.run(
        [sys.executable, "-m", "stream", "live", "camera:63", "--null"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("deblur: /dev/video63 does not exist")
    assert result.stderr.count("\n") == 1


def test_several_outputs_at_once(live, tmp_path):
    import av

    a, b = tmp_path / "a.mkv", tmp_path / "hls" / "b.m3u8"
    code, report, _ = live("test:160x120@20", "--out", str(a), "--out", str(b), frames=30)
    assert code == 0
    for output, path in zip(report["outputs"], (a, b), strict=True):
        assert output["name"] == str(path)
        assert output["error"] is None
        with av.open(str(path)) as container:
            count = sum(1 for _ in container.decode(video=0))
        assert count == output["frames_written"]
        assert report["frames_out"] == output["frames_written"] + output["frames_dropped"]
    assert report["overload"]["frames"]


def test_an_output_that_fails_midway_is_reported_and_the_rest_goes_on(live, tmp_path, monkeypatch):
    from stream.errors import SinkError
    from stream.output.live_video import LiveVideo

    write = LiveVideo.write

    def failing(self, frame):
        if self._target.name.endswith("a.ts") and frame.index > 5:
            raise SinkError("no space left")
        write(self, frame)

    monkeypatch.setattr(LiveVideo, "write", failing)
    paths = [str(tmp_path / name) for name in ("a.ts", "b.ts")]
    code, report, said = live("test:160x120@20", "--out", paths[0], "--out", paths[1], frames=20)
    assert code == 1
    assert [output["error"] for output in report["outputs"]] == ["no space left", None]
    assert "a.ts has failed, the rest goes on: no space left" in said.err


def test_a_run_whose_last_output_fails_is_reported_all_the_same(live, tmp_path, monkeypatch):
    from stream.errors import SinkError
    from stream.output.live_video import LiveVideo

    write, written = LiveVideo.write, []

    def failing(self, frame):
        if len(written) == 5:
            raise SinkError("no space left")
        written.append(frame)
        write(self, frame)

    monkeypatch.setattr(LiveVideo, "write", failing)
    code, report, said = live("test:160x120@20", "--out", str(tmp_path / "a.ts"))
    assert code == 1
    assert report["frames_out"] >= 5
    assert report["outputs"][0]["error"] == "no space left"
    assert "captured" in said.out
    assert said.err.endswith("deblur: no output is left\n")


@pytest.mark.parametrize(
    ("argv", "says", "expected"),
    [
        (["--out", "a.avi"], "a live recording ends in one of", 2),
        (["--out", "ftp://host/x"], "nothing is sent by ftp", 2),
        (["--window"], "no display|hang", 1),
    ],
)
def test_an_output_that_is_none_is_said_before_anything_is_loaded(
    argv, says, expected, capsys, monkeypatch
):
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setattr("stream.cli.live._Models", lambda options: pytest.fail("loaded"))
    try:
        code = main(["live", "test:", *argv])
    except SystemExit as end:
        code = end.code
    *usage, line = capsys.readouterr().err.splitlines()
    assert code == expected
    assert re.search(says, line)
    assert bool(usage) == (code == 2)


def test_a_recording_that_exists_is_not_replaced(live, tmp_path):
    path = tmp_path / "a.mkv"
    path.write_text("mine")
    with pytest.raises(FileNotFoundError):  # no report, for nothing was run
        live("test:160x120@20", "--out", str(path))
    assert path.read_text() == "mine"
