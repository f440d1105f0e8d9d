"""Whatever goes wrong with a recorded video, its target is as before.

Beside it nothing lies, or the folder with the segments that were finished.
"""

import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
from clips import Clip, make_clip, times
from fakes import PLANES, FakeProcessor, InjectedError

from stream.capture.file import FileSource
from stream.errors import SinkError, SourceError
from stream.jobs import CleanOptions, clean, clean_file
from stream.output.encoder import EncoderOptions
from stream.output.file import VideoWriter
from stream.pipeline import Pipeline

FAST = CleanOptions(EncoderOptions(preset="ultrafast"))
SPEC = Clip(audio="aac")
KEPT = ".out.mp4.partial"


@pytest.fixture
def folder(tmp_path, clip):
    (tmp_path / "in.mp4").write_bytes(clip(SPEC).read_bytes())
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("point", "position"),
    [("start", 0), ("process", 0), ("process", 12), ("process", 23), ("flush", 0)],
)
def test_a_failing_model_leaves_nothing(point, position, folder):
    processor = FakeProcessor(point=point, position=position)
    with pytest.raises(InjectedError):
        clean_file(folder / "in.mp4", folder / "out.mp4", processor, FAST)
    assert names(folder) == ["in.mp4"]


@pytest.mark.parametrize("position", [1, 24])
def test_ctrl_c_leaves_the_old_file(position, folder):
    (folder / "out.mp4").write_text("before")

    def progress(stats):
        if stats.frames_out == position:
            signal.raise_signal(signal.SIGINT)

    options = CleanOptions(EncoderOptions(preset="ultrafast"), overwrite=True)
    with pytest.raises(KeyboardInterrupt):
        clean_file(folder / "in.mp4", folder / "out.mp4", FakeProcessor(), options, progress)
    assert names(folder) == ["in.mp4", "out.mp4"]
    assert (folder / "out.mp4").read_text() == "before"


def test_ctrl_c_during_the_join_keeps_what_is_finished(folder, monkeypatch):
    def interrupted(segments, source, target, *args, **kwargs):
        target.write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(clean, "join", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clean_file(folder / "in.mp4", folder / "out.mp4", FakeProcessor(), FAST)
    assert names(folder) == [KEPT, "in.mp4"]
    assert names(folder / KEPT) == ["000000.mp4", "journal", "lock"]
    processor = FakeProcessor()
    result = clean_file(folder / "in.mp4", folder / "out.mp4", processor, FAST)
    assert names(folder) == ["in.mp4", "out.mp4"]
    assert processor.calls == []
    assert result.stats.frames_out == SPEC.frames


def test_a_source_that_vanishes_before_the_join_keeps_what_is_finished(folder):
    def progress(stats):
        (folder / "in.mp4").unlink(missing_ok=True)

    with pytest.raises(SourceError, match="does not exist"):
        clean_file(folder / "in.mp4", folder / "out.mp4", FakeProcessor(), FAST, progress)
    assert names(folder) == [KEPT]


def test_a_file_that_appears_meanwhile_is_not_overwritten(folder):
    def progress(stats):
        (folder / "out.mp4").write_text("somebody else's")

    with pytest.raises(SinkError, match="exists"):
        clean_file(folder / "in.mp4", folder / "out.mp4", FakeProcessor(), FAST, progress)
    assert names(folder) == [KEPT, "in.mp4", "out.mp4"]
    assert (folder / "out.mp4").read_text() == "somebody else's"


FULL_DISK = """
import resource, sys
sys.path[:0] = sys.argv[1:2]
from fakes import FakeProcessor
from stream.errors import SinkError
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions
options = CleanOptions(EncoderOptions(crf=17))  # nothing is encoded on trial
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]),) * 2)
try:
    clean_file(sys.argv[2], sys.argv[3], FakeProcessor(), options)
except SinkError as error:
    print(error)
"""


@pytest.mark.parametrize("when", ["segment", "join"])
def test_a_full_disk_is_one_line_and_keeps_what_is_finished(when, tmp_path):
    """A real refusal to write, by a limit on the size of files, in a process of its own.

    The sound makes the joined file larger than the segment, so one limit stops only the join.
    """
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make_clip(source, Clip(".mkv", frames=60, audio="pcm_s16le"))
    limit = {"segment": 4_000, "join": 150_000}[when]
    assert limit < source.stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, Path(__file__).parents[1], source, target, str(limit)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "no space left" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert str(target) in done.stdout
    kept = {"segment": [], "join": [".out.mkv.partial"]}[when]
    assert names(tmp_path) == [*kept, "in.mkv"]


INTERRUPTED = """
import sys, threading
sys.path[:0] = sys.argv[1:2]
from fakes import FakeProcessor
from stream.jobs import clean_file
def progress(stats):
    print("frame", flush=True)
    threading.Event().wait()
clean_file(sys.argv[2], sys.argv[3], FakeProcessor(), None, progress)
"""


def test_sigint_to_the_process_leaves_nothing(tmp_path):
    make_clip(tmp_path / "in.mp4", Clip(frames=60))
    arguments = [Path(__file__).parents[1], tmp_path / "in.mp4", tmp_path / "out.mp4"]
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "frame\n"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate()
    assert "KeyboardInterrupt" in complaint
    assert names(tmp_path) == ["in.mp4"]


class Altering(FakeProcessor):
    """Gives every frame the same changes."""

    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def process(self, frame):
        return [frame.replace(**self.changes)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"pts": 7}, "pts 7 comes after 7"), ({"planes": PLANES}, "does not fit yuv420p")],
)
def test_frames_that_do_not_follow_are_refused_and_leave_nothing(changes, says, folder):
    with pytest.raises(SinkError, match=says):
        clean_file(folder / "in.mp4", folder / "out.mp4", Altering(**changes), FAST)
    assert names(folder) == ["in.mp4"]


@pytest.mark.parametrize("where", ["encode", "mux", "close"])
def test_an_encoder_that_fails_is_a_sink_error_and_leaves_nothing(where, folder, monkeypatch):
    """FFmpeg's own errors, raised where it would raise them."""
    writer = VideoWriter(folder / "out.mp4", EncoderOptions(preset="ultrafast"))

    class Failing:
        def __init__(self, part):
            self._part = part

        def __getattr__(self, name):
            if name == where:
                if name == "close":
                    self._part.close()
                raise av.error.ExternalError(542398533, "Generic error in an external library")
            return getattr(self._part, name)

    open_writer = writer.open

    def opened(info):
        open_writer(info)
        writer._container, writer._stream = Failing(writer._container), Failing(writer._stream)

    monkeypatch.setattr(writer, "open", opened)
    with pytest.raises(SinkError, match=r"out.mp4 cannot be written \(Generic error"):
        Pipeline(FileSource(folder / "in.mp4"), FakeProcessor(), writer).run()
    assert names(folder) == ["in.mp4"]


def test_a_failing_rename_is_a_sink_error_and_leaves_nothing(folder, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(SinkError, match="cannot be completed"):
        clean_file(folder / "in.mp4", folder / "out.mp4", FakeProcessor(), FAST)
    assert names(folder) == ["in.mp4"]


def test_a_video_writer_puts_a_whole_file_in_place(folder):
    writer = VideoWriter(folder / "out.mp4", EncoderOptions(preset="ultrafast"))
    Pipeline(FileSource(folder / "in.mp4"), FakeProcessor(), writer).run()
    assert names(folder) == ["in.mp4", "out.mp4"]
    assert times(folder / "out.mp4") == times(folder / "in.mp4")
