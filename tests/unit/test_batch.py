import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clips import Clip, add_audio, png
from fakes import FakeProcessor

from stream.errors import JobError, OpenError, UsageError
from stream.jobs.batch import Task, clean_all, is_batch, tasks_of
from stream.jobs.clean import CleanResult, clean_file
from stream.jobs.workspace import Workspace
from stream.stats import RunStats

TENTH = Fraction(1, 10)


@pytest.fixture
def tree(tmp_path):
    """A folder of videos, and of what is none."""
    videos = tmp_path / "in"
    for name in ("b.mp4", "a.MKV", "deep/er/c.flv", "deep/notes.txt", ".hidden.mp4", ".git/d.mp4"):
        path = videos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return videos


def places(tasks, root):
    return [
        (str(task.source.relative_to(root)), str(task.target.relative_to(root))) for task in tasks
    ]


def test_one_file_goes_to_the_output_or_into_it(tree, tmp_path):
    video = tree / "b.mp4"
    assert not is_batch([video])
    assert tasks_of([video], tmp_path / "out.mp4")[0].target == tmp_path / "out.mp4"
    assert tasks_of([video], tree / "deep")[0].target == tree / "deep" / "b.mp4"


def test_a_folder_keeps_its_tree(tree, tmp_path):
    assert is_batch([tree])
    assert places(tasks_of([tree], tmp_path / "out"), tmp_path) == [
        ("in/a.MKV", "out/a.MKV"),
        ("in/b.mp4", "out/b.mp4"),
        ("in/deep/er/c.flv", "out/deep/er/c.flv.mkv"),
    ]


def test_files_and_folders_together(tree, tmp_path):
    tasks = tasks_of([tree / "deep", tree / "b.mp4"], tmp_path / "out")
    assert places(tasks, tmp_path) == [
        ("in/deep/er/c.flv", "out/er/c.flv.mkv"),
        ("in/b.mp4", "out/b.mp4"),
    ]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.mp4", ["b.mp4"]),
        ("er/*", ["c.flv"]),
        ("*", ["a.MKV", "b.mp4", "c.flv"]),
        ("", 3 * [...]),
    ],
)
def test_a_pattern_picks_among_the_videos_of_folders(pattern, names, tree, tmp_path):
    tasks = tasks_of([tree, tree.parent / "own.txt"], tmp_path / "out", pattern)
    assert tasks.pop().source.name == "own.txt", "what is named itself is taken"
    assert len(tasks) == len(names)
    assert names[0] is ... or [task.source.name for task in tasks] == names


def test_what_a_folder_holds_is_asked_of_the_files_and_the_rest_is_counted(clip, tmp_path):
    """The ending of a raw stream, of a phone's or of none says nothing by itself."""
    folder, told = tmp_path / "in", []
    folder.mkdir()
    spec = Clip(width=32, height=32, frames=3)
    kinds = {".mp4": ("a.insv", "b.qt", "c"), ".h264": ("d.h264",), ".ogg": ("e.ogg",)}
    ogg = replace(spec, suffix=".ogg", codec="libvpx", options=(), gaps=(1,), time_base=TENTH)
    specs = {".mp4": spec, ".h264": replace(spec, suffix=".h264"), ".ogg": ogg}
    for kind, names in kinds.items():
        for name in names:
            (folder / name).write_bytes(clip(specs[kind]).read_bytes())
    make_sound(folder / "f.ogg")
    for name in ("g.txt", "h.TXT", "LICENSE"):
        (folder / name).write_text("no video")
    (folder / "i.png").write_bytes(png())
    os.mkfifo(folder / "j.pipe")
    tasks = tasks_of([folder], tmp_path / "out", None, told.append)
    assert [task.source.name for task in tasks] == ["a.insv", "b.qt", "c", "d.h264", "e.ogg"]
    assert [task.target.name for task in tasks][-1] == "e.ogg.mkv"
    passed = "1 .ogg, 1 .pipe, 1 .png, 2 .txt, 1 without an ending"
    assert told == [f"{folder}: passed over what holds no video: {passed}"]


def make_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        add_audio(container, stream, 0.1)


def test_a_file_that_may_not_be_read_is_taken_so_that_it_fails_by_name(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "notes.txt")
    names = [task.source.name for task in tasks_of([tree / "deep"], tmp_path / "out")]
    assert names == ["notes.txt", "c.flv"]


def test_equal_names_with_other_endings_do_not_clash(tree, tmp_path):
    (tree / "a.mp4").write_text("")
    targets = [str(task.target.relative_to(tmp_path)) for task in tasks_of([tree], tmp_path / "o")]
    assert targets == ["o/a.MKV", "o/a.mp4", "o/b.mp4", "o/deep/er/c.flv.mkv"]


def test_an_output_within_the_input_is_not_an_input(tree):
    out = tree / "clean"
    out.mkdir()
    (out / "b.mp4").write_text("")
    assert len(tasks_of([tree], out)) == 3


@pytest.mark.parametrize(
    ("inputs", "output", "error", "says"),
    [
        (["in", "in/b.mp4"], "out", JobError, "would both become"),
        (["in"], "in", JobError, "is an input itself"),
        (["in"], "in/b.mp4", JobError, "is a file; name a folder"),
        (["in"], "out.mp4", UsageError, "is the name of one video; name a folder"),
        (["in/.git/.."], "out", None, ""),
        (["empty"], "out", OpenError, "there is no video in"),
    ],
)
def test_what_cannot_go_together_is_refused(inputs, output, error, says, tree, tmp_path):
    (tmp_path / "empty").mkdir()
    paths = [tmp_path / name for name in inputs]
    if error is None:
        assert tasks_of(paths, tmp_path / output)
        return
    with pytest.raises(error, match=says):
        tasks_of(paths, tmp_path / output)


def test_one_failure_does_not_stop_the_rest(tree, tmp_path):
    tasks = tasks_of([tree, Path("none.mp4")], tmp_path / "out")
    tasks[1].target.parent.mkdir()
    tasks[1].target.write_text("mine")
    done = []

    def clean(task):
        done.append(task)
        if task == tasks[0]:
            raise JobError("no")
        return CleanResult(RunStats(), ())

    outcomes = list(clean_all(tasks, clean, overwrite=False))
    assert [outcome.word for outcome in outcomes] == ["failed", "skipped", "done", "failed"]
    assert done == [tasks[0], tasks[2]]
    assert "none.mp4 does not exist" in str(outcomes[3].error)
    assert tasks[2].target.parent.is_dir()
    words = [outcome.word for outcome in clean_all(tasks, clean, overwrite=True)]
    assert words == ["failed", "done", "done", "failed"]


def test_an_error_that_nobody_foresaw_does_not_stop_the_rest_and_is_not_hidden(tree, tmp_path):
    mistake = ValueError("mistake")

    def clean(task):
        if task == tasks[0]:
            raise mistake
        return CleanResult(RunStats(), ())

    tasks = tasks_of([tree], tmp_path / "out")
    first, *others = clean_all(tasks, clean, overwrite=False)
    assert (first.word, first.error) == ("failed", mistake)
    assert {outcome.word for outcome in others} == {"done"}


@pytest.mark.parametrize("end", [KeyboardInterrupt, BrokenPipeError])
def test_who_interrupts_or_hangs_up_ends_it(end, tree, tmp_path):
    def clean(task):
        raise end

    with pytest.raises(end):
        list(clean_all(tasks_of([tree], tmp_path / "out"), clean, overwrite=False))


def test_what_a_kill_while_tidying_left_is_removed_and_unfinished_work_is_not(clip, tmp_path):
    """Skipped, as the target is whole; a job that overwrites it may be half-way, and stays."""
    source, target = clip(Clip(frames=3)), tmp_path / "o.mp4"
    left = tmp_path / ".o.mp4.partial"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "_remove", lambda self: None)
        clean_file(source, target, FakeProcessor())
    assert (left / "journal").exists()

    with Workspace(target, overwrite=True):  # by another process
        assert words(source, target) == ["skipped"]
        assert left.exists()
        journal = (left / "journal").read_bytes()
    left.mkdir()
    (left / "journal").write_bytes(journal)
    target.write_bytes(b"mine")
    assert words(source, target) == ["skipped"]
    assert left.exists(), "not what this journal speaks of"
    (left / "journal").unlink()
    assert words(source, target) == ["skipped"]
    assert not left.exists(), "nothing is known of it"
    assert target.read_bytes() == b"mine"


def test_a_whole_target_is_tidied(clip, tmp_path):
    source, target = clip(Clip(frames=3)), tmp_path / "o.mp4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workspace, "_remove", lambda self: None)
        clean_file(source, target, FakeProcessor())
    before = target.read_bytes()
    assert words(source, target) == ["skipped"]
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    assert target.read_bytes() == before


def words(source, target):
    outcomes = clean_all([Task(source, target)], lambda task: None, overwrite=False)
    return [outcome.word for outcome in outcomes]
