"""A job cut short at any moment goes on, and its outcome has the same bytes."""

import errno
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clips import Clip, damage
from fakes import Averaging, FakeProcessor, InjectedError

from stream.errors import DecodeError, JobError, SinkError
from stream.jobs import CleanOptions, WorkerPool, clean, clean_file, journal
from stream.jobs.lock import Lock, Locked
from stream.jobs.workspace import Workspace, tidy
from stream.output.encoder import EncoderOptions

QUICK = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 2))
SPEC = Clip(
    *(".mkv", "libx264", 64, 48),
    frames=40,
    time_base=Fraction(1, 1000),
    gaps=(40, 45),
    audio="flac",
    options=(("preset", "ultrafast"), ("g", "10"), ("bf", "2")),
)
KEPT = ".out.mkv.partial"

# The child counts what it does, frame by frame and file by file, and ends itself at one of them.
CHILD = """
import os, signal, sys
sys.path[:0] = sys.argv[1:2]
from fractions import Fraction
from fakes import Averaging
from stream.jobs import CleanOptions, clean_file
from stream.output.encoder import EncoderOptions
source, target, fatal = sys.argv[2], sys.argv[3], int(sys.argv[4])
count = 0
def passing(*_):
    global count
    count += 1
    if count == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
def audit(event, details):
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"):
        names = [str(part) for part in details if isinstance(part, (str, os.PathLike))]
        if any(".partial" in name for name in names):
            passing()
sys.addaudithook(audit)
quick = CleanOptions(EncoderOptions(preset="ultrafast"), segment_s=Fraction(1, 2))
clean_file(source, target, Averaging(), quick, passing, model="averaging")
print(count)
"""


@pytest.fixture(scope="module")
def whole(clip, tmp_path_factory):
    """The bytes of an uninterrupted run in a process of its own, and how much happens in it."""
    target = tmp_path_factory.mktemp("whole") / "out.mkv"
    return target.read_bytes, int(run_child(clip(SPEC), target, 0))


def run_child(source, target, fatal):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, Path(__file__).parents[1], source, target, str(fatal)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if fatal else 0), done.stderr
    return done.stdout


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def resume(clip, target, **changes):
    messages = []
    changes = {"model": "averaging", "on_message": messages.append, **changes}
    processor = changes.pop("processor", None) or Averaging()
    result = clean_file(clip(SPEC), target, processor, **{"options": QUICK, **changes})
    return result, messages


def moments(total, count):
    """Early, late and between, the same ones every time."""
    return sorted(np.random.default_rng(4).choice(np.arange(1, total + 1), count, replace=False))


def check_kill(clip, target, whole, fatal):
    read, _ = whole
    run_child(clip(SPEC), target, fatal)
    result, _ = resume(clip, target)
    assert target.read_bytes() == read()
    assert result.stats.frames_in == result.stats.frames_out == SPEC.frames
    assert names(target.parent) == ["out.mkv"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a signal of POSIX")
@pytest.mark.parametrize("number", range(10))
def test_sigkill_at_random_moments_and_the_same_bytes(number, clip, whole, tmp_path):
    check_kill(clip, tmp_path / "out.mkv", whole, moments(whole[1] - 2, 10)[number])


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a signal of POSIX")
def test_sigkill_at_every_moment_and_the_same_bytes(clip, whole, tmp_path):
    """But the last two, when the file is whole and the journal gone."""
    for fatal in range(1, whole[1] - 1):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        check_kill(clip, folder / "out.mkv", whole, fatal)


def stop_at(clip, target, frame=30, options=QUICK, model="averaging"):
    """A run that fails with two of three or four segments finished."""
    with pytest.raises(InjectedError):
        clean_file(
            clip(SPEC), target, Averaging(point="process", position=frame), options, model=model
        )
    assert names(target.parent) == [KEPT]


@pytest.fixture(scope="module")
def expected(clip, tmp_path_factory):
    target = tmp_path_factory.mktemp("expected") / "out.mkv"
    clean_file(clip(SPEC), target, Averaging(), QUICK, model="averaging")
    return target.read_bytes()


def test_what_is_finished_is_not_done_again(clip, expected, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target)
    kept = names(tmp_path / KEPT)
    assert kept == ["000000.mp4", "journal", "lock"]
    processor, seen = Averaging(), []
    result, messages = resume(
        clip, target, processor=processor, on_progress=lambda stats: seen.append(stats.frames_out)
    )
    assert target.read_bytes() == expected
    assert len(messages) == 1
    assert "going on behind 12 frames" in messages[0]
    assert seen == list(range(13, 41))
    assert result.stats.frames_in == result.stats.frames_out == 40


def test_no_resume_starts_afresh(clip, expected, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target)
    processor = Averaging()
    options = CleanOptions(QUICK.encoder, resume=False, segment_s=QUICK.segment_s)
    _, messages = resume(clip, target, processor=processor, options=options)
    assert messages == []
    assert processor.calls.count("start") == 4
    assert target.read_bytes() == expected
    assert names(tmp_path) == ["out.mkv"]


@pytest.mark.parametrize("what", ["input", "model", "options", "program version"])
def test_leftovers_of_another_job_are_not_mixed_in(what, clip, expected, tmp_path, monkeypatch):
    target, model, options = tmp_path / "out.mkv", "averaging", QUICK
    other = clip(SPEC)
    if what == "input":
        other = clip(Clip(".mkv", "libx264", 64, 48, frames=40))
    elif what == "model":
        model = "another"
    elif what == "options":
        options = CleanOptions(EncoderOptions(crf=40), segment_s=QUICK.segment_s)
    with monkeypatch.context() as patch:
        if what == "program version":
            patch.setattr("stream.jobs.identity._version", lambda: "0.0.0")
        stop_at(lambda spec: other, target, options=options, model=model)
    _, messages = resume(clip, target)
    assert messages == [f"{target}: unfinished work of another {what} was removed"]
    assert target.read_bytes() == expected


@pytest.mark.parametrize("lost", [(0,), (1,), (0, 2), (0, 1, 2)])
def test_segments_that_are_not_whole_are_made_again(lost, clip, expected, tmp_path):
    """Whichever they are: what lies before, between and behind them is kept."""
    target = tmp_path / "out.mkv"
    stop_at(clip, target, frame=62)  # burn-in included: in the fourth segment
    kept = [f"{number:06}.mp4" for number in range(3)]
    assert names(tmp_path / KEPT) == [*kept, "journal", "lock"]
    for number in lost:
        (tmp_path / KEPT / kept[number]).write_bytes(b"short")
    processor = Averaging()
    result, messages = resume(clip, target, processor=processor)
    assert processor.calls.count("start") == len(lost) + 1
    changed, *others = messages
    assert changed.startswith(f"warning: {target}: finished segments are no longer as they were")
    assert f"({', '.join(kept[number] for number in lost)})" in changed
    assert len(others) == (len(lost) < 3)
    assert result.stats.frames_in == result.stats.frames_out == 40
    assert target.read_bytes() == expected


def test_a_segment_of_which_one_bit_has_flipped_is_told_of_and_made_again(clip, expected, tmp_path):
    """Of the same size, and such that the outcome would be decoded without a complaint."""
    target = tmp_path / "out.mkv"
    stop_at(clip, target, frame=62)
    segment = tmp_path / KEPT / "000001.mp4"
    raw = bytearray(segment.read_bytes())
    raw[len(raw) // 2] ^= 1
    segment.write_bytes(raw)
    processor = Averaging()
    _, messages = resume(clip, target, processor=processor)
    assert processor.calls.count("start") == 2
    assert "(000001.mp4); look to the disk" in messages[0]
    assert ["\n" in message for message in messages] == [False, False]
    assert target.read_bytes() == expected


def test_a_segment_that_the_disk_does_not_give_back_is_told_of_and_made_again(
    clip, expected, tmp_path, monkeypatch
):
    def unreadable(path):
        if path.name == "000001.mp4":
            raise OSError(errno.EIO, "Input/output error")
        return journal.digest_of(path)

    target = tmp_path / "out.mkv"
    stop_at(clip, target, frame=62)
    monkeypatch.setattr("stream.jobs.workspace.digest_of", unreadable)
    _, messages = resume(clip, target)
    assert "(000001.mp4); look to the disk" in messages[0]
    assert target.read_bytes() == expected


@pytest.mark.parametrize("workers", [None, 2])
def test_a_segment_that_comes_out_otherwise_the_second_time_is_told_of(workers, clip, tmp_path):
    """As from an encoder that is not the same each time, here from another processor."""
    target = tmp_path / "out.mkv"
    stop_at(clip, target, frame=62)
    (tmp_path / KEPT / "000001.mp4").unlink()
    other = (
        Averaging(0.2) if workers is None else WorkerPool([Averaging(0.2) for _ in range(workers)])
    )
    _, messages = resume(clip, target, processor=other)
    (differs,) = [message for message in messages if message.startswith("warning")]
    assert f"{target}: the segment 000001.mp4 was made once more and differs" in differs
    assert "\n" not in differs


def test_a_segment_that_comes_out_the_same_the_second_time_is_not_told_of(clip, expected, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target, frame=62)
    (tmp_path / KEPT / "000001.mp4").unlink()
    _, messages = resume(clip, target)
    assert ["going on behind" in message for message in messages] == [True]
    assert target.read_bytes() == expected


@pytest.mark.slow
def test_two_hundred_interrupted_and_resumed_runs_have_the_same_bytes(clip, tmp_path):
    """With the real encoder of `deblur clean`, whose every run must be the same on every machine.

    Interrupted at two frames drawn by chance, the second time further on; then let through.
    """
    spec = Clip(
        *(".mp4", "libx264", 320, 240), frames=48,
        options=(("preset", "ultrafast"), ("g", "8"), ("bf", "2"), ("crf", "10")),
    )  # fmt: skip
    options = CleanOptions(segment_s=Fraction(1, 2))
    source, target = clip(spec), tmp_path / "out.mp4"
    rng = np.random.default_rng(19)
    messages = []
    clean_file(source, target, Averaging(), options)
    digests = {journal.digest_of(target)}
    for _ in range(200):
        target.unlink()
        for frame in sorted(rng.choice(np.arange(1, spec.frames), 2, replace=False).tolist()):
            interrupted_at(frame, source, target, options)
        clean_file(source, target, Averaging(), options, on_message=messages.append)
        digests.add(journal.digest_of(target))
        assert names(tmp_path) == ["out.mp4"]
    assert len(digests) == 1
    assert len(messages) > 100  # that it goes on, and of no run that a segment differs
    assert all("going on behind" in message for message in messages)


def interrupted_at(frame, source, target, options):
    """Press Ctrl-C once so many frames of the whole are done."""

    def press(stats):
        if stats.frames_out >= frame:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_file(source, target, Averaging(), options, press)


def test_segments_finished_out_of_order_are_joined_in_order(clip, expected, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target, frame=62)
    path = tmp_path / KEPT / "journal"
    identity, *lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([identity, lines[2], lines[0]]))
    processor = Averaging()
    _, messages = resume(clip, target, processor=processor)
    assert processor.calls.count("start") == 2
    assert len(messages) == 1
    assert target.read_bytes() == expected


def test_a_journal_cut_off_anywhere_still_gives_the_same_bytes(clip, expected, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target)
    path = tmp_path / KEPT / "journal"
    raw = path.read_bytes()
    for cut in (0, 1, raw.index(b"\n"), raw.index(b"\n") + 1, len(raw) - 1):
        stop_at(clip, target)
        path.write_bytes(raw[:cut])
        resume(clip, target)
        assert target.read_bytes() == expected
        target.unlink()


def test_pictures_that_have_changed_are_not_gone_on_from(clip, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target)
    path = tmp_path / KEPT / "journal"
    last = journal.Journal(path).segments[-1].marks[-1][1]
    path.write_bytes(path.read_bytes().replace(str(last).encode(), b"7"))
    with pytest.raises(JobError, match="use --no-resume"):
        resume(clip, target)
    assert names(tmp_path) == [KEPT]


def test_a_running_job_is_not_trampled(clip, tmp_path):
    target = tmp_path / "out.mkv"

    def intrude(stats):
        if stats.frames_out == 20:
            with pytest.raises(JobError, match="is being written by another deblur") as caught:
                resume(clip, target)
            assert "\n" not in str(caught.value)

    _, messages = resume(clip, target, on_progress=intrude)
    assert messages == []
    assert names(tmp_path) == ["out.mkv"]


def test_a_lock_ends_with_its_process(tmp_path):
    code = """
import pathlib, sys
from stream.jobs.lock import Lock
lock = Lock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "lock"], stdin=-1, stdout=-1, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Locked):
            Lock(tmp_path / "lock")
        process.kill()
        process.wait()
    lock = Lock(tmp_path / "lock")
    lock.release()
    lock.release()


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_a_lock_on_a_removed_file_is_no_lock(tmp_path, monkeypatch):
    from stream.jobs import lock

    path, take = tmp_path / "lock", lock._lock

    def removed_meanwhile(descriptor):
        path.unlink()
        take(descriptor)

    monkeypatch.setattr(lock, "_lock", removed_meanwhile)
    with pytest.raises(Locked):
        Lock(path)


def test_a_lock_whose_file_cannot_be_looked_at_is_let_go(tmp_path, monkeypatch):
    """`nothing_leaks` sees its descriptor, too."""
    with monkeypatch.context() as patch:
        patch.setattr("os.path.samestat", unreadable)
        with pytest.raises(PermissionError):
            Lock(tmp_path / "lock")
    Lock(tmp_path / "lock").release()


def unreadable(*args):
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_journal_that_cannot_be_read_leaves_the_target_to_others(tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", unreadable)
        (tmp_path / KEPT).mkdir()
        (tmp_path / KEPT / "journal").touch()
        with pytest.raises(JobError, match=r"cannot be used \(Permission denied\)"):
            Workspace(target, overwrite=False)
        with pytest.raises(JobError, match="cannot be used"):  # not: written by another
            Workspace(target, overwrite=False)
    Workspace(target, overwrite=False).release()


def test_a_workspace_that_cannot_be_tidied_is_let_go(tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    with (
        monkeypatch.context() as patch,
        pytest.raises(PermissionError),
        Workspace(target, overwrite=False),
    ):
        patch.setattr(Path, "iterdir", unreadable)
    Workspace(target, overwrite=False).release()


def test_what_cannot_be_tidied_is_let_go(tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    Workspace(target, overwrite=False).release()
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "done", property(unreadable))
        with pytest.raises(PermissionError):
            tidy(target)
    Workspace(target, overwrite=False).release()


@pytest.mark.parametrize("removed", [(), ("000000.mp4", "000002.mp4")])
def test_killed_while_tidying_the_job_is_done(removed, clip, expected, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "_remove", lambda self: None)
        resume(clip, target)
    assert names(tmp_path) == [KEPT, "out.mkv"]
    for name in removed:
        (tmp_path / KEPT / name).unlink()
    before = target.stat()
    processor = Averaging()
    result, _ = resume(clip, target, processor=processor)
    assert processor.calls == []
    assert result.stats.frames_out == 40
    assert target.stat().st_mtime_ns == before.st_mtime_ns
    assert names(tmp_path) == ["out.mkv"]


def test_somebody_elses_file_is_not_taken_for_the_outcome(clip, tmp_path):
    target = tmp_path / "out.mkv"
    stop_at(clip, target)
    target.write_text("mine")
    with pytest.raises(SinkError, match="exists"):
        resume(clip, target)
    assert target.read_text() == "mine"
    assert names(tmp_path) == [KEPT, "out.mkv"]


@pytest.mark.parametrize("where", ["journal", "segment", "join"])
def test_a_full_disk_costs_nothing_that_is_finished(where, clip, expected, tmp_path, monkeypatch):
    target = tmp_path / "out.mkv"
    stop_at(clip, target)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "journal":
            patch.setattr(journal, "os", SimpleNamespace(fsync=full, truncate=os.truncate))
        elif where == "segment":
            patch.setattr("stream.output.file.open_muxer", full)
        else:
            patch.setattr("stream.jobs.join.open_muxer", full)
        with pytest.raises(SinkError, match="no space left"):
            resume(clip, target)
    assert names(tmp_path) == [KEPT]
    _, messages = resume(clip, target)
    assert "going on behind" in messages[0]
    assert target.read_bytes() == expected


def test_an_input_unreadable_midway_keeps_the_segments_before(clip, tmp_path):
    spec = Clip(frames=120, width=64, height=48, options=(("preset", "ultrafast"), ("g", "1")))
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    damage(clip(spec), source, *range(60, 115))
    for _ in range(2):
        with pytest.raises(DecodeError, match="cut the file there") as caught:
            clean_file(source, target, FakeProcessor(), QUICK)
        assert "\n" not in str(caught.value)
        assert names(tmp_path) == [".out.mp4.partial", "in.mp4"]


def test_ctrl_c_keeps_finished_segments_and_the_next_run_goes_on(clip, expected, tmp_path):
    target = tmp_path / "out.mkv"

    def interrupt(stats):
        if stats.frames_out == 30:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        resume(clip, target, on_progress=interrupt)
    assert names(tmp_path) == [KEPT]
    resume(clip, target)
    assert target.read_bytes() == expected


def test_segments_of_another_encoding_are_not_joined(clip, tmp_path):
    source, paths = clip(Clip(frames=4)), []
    for codec in ("h264", "mpeg4"):
        paths.append(tmp_path / f"{codec}.mp4")
        clean_file(source, paths[-1], FakeProcessor(), CleanOptions(EncoderOptions(codec)))
    info = clean.Reader(source, 1)
    info.close()
    with pytest.raises(JobError, match="does not fit"):
        clean.join(paths, source, tmp_path / "out.mp4", info.info, reorder=2, end=2048)
