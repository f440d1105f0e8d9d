"""Decoded frames on disk: made once, kept within a budget, and left alone while in use."""

import gc
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from models.training import frame_cache
from models.training.frame_cache import ABANDONED_S, open_frames

SIZE = 3 * 4 * 5 * 3  # bytes of each array here


def opened(folder, value, budget=10 * SIZE):
    """Three frames that hold one value, cached under it, and how often they were made for this."""
    made = []

    def decode(file):
        made.append(value)
        file.write(np.full((3, 4, 5, 3), value, np.uint8).tobytes())
        return {"shape": [3, 4, 5, 3], "starts": [0]}

    frames, facts = open_frames(folder, f"key {value}", decode, budget_bytes=budget)
    assert facts["starts"] == [0]
    assert (np.asarray(frames) == value).all()
    return frames, len(made)


def kept(folder):
    """The names without suffix; each has both files."""
    pixels, records = ({p.stem for p in folder.glob(f"*{s}")} for s in (".rgb", ".json"))
    assert pixels == records
    return pixels


def test_frames_are_made_once_and_lost_ones_again(tmp_path):
    assert [opened(tmp_path, 7)[1] for _ in range(2)] == [1, 0]
    for suffix in (".rgb", ".json"):
        next(tmp_path.glob(f"*{suffix}")).unlink()
        assert [opened(tmp_path, 7)[1] for _ in range(2)] == [1, 0]


def test_the_folder_keeps_within_its_budget_what_was_opened_last(tmp_path):
    for value in range(4):
        opened(tmp_path, value)
    opened(tmp_path, 0)
    opened(tmp_path, 4, budget=3 * SIZE)
    assert len(kept(tmp_path)) == 3
    assert [opened(tmp_path, value)[1] for value in (0, 3, 4, 1)] == [0, 0, 0, 1]


def test_opening_what_is_there_removes_nothing(tmp_path):
    for value in range(3):
        opened(tmp_path, value)
    opened(tmp_path, 0, budget=0)
    assert len(kept(tmp_path)) == 3


def test_what_this_process_uses_stays_until_the_last_view_is_gone(tmp_path):
    view = opened(tmp_path, 0)[0][1:, 2]
    for value in (1, 2):
        opened(tmp_path, value, budget=SIZE)
    assert (view == 0).all()
    assert opened(tmp_path, 0)[1] == 0
    del view
    gc.collect()
    opened(tmp_path, 3, budget=SIZE)
    assert len(kept(tmp_path)) == 1
    assert opened(tmp_path, 3)[1] == 0


def test_what_another_process_uses_stays(tmp_path):
    opened(tmp_path, 0)
    program = (
        "import sys; from pathlib import Path\n"
        "from models.training.frame_cache import open_frames\n"
        "frames, _ = open_frames(Path(sys.argv[1]), 'key 0', None)\n"
        "print('mapped', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"mapped\n"
        opened(tmp_path, 1, budget=0)
        assert opened(tmp_path, 0)[1] == 0
        other.stdin.close()
    opened(tmp_path, 2, budget=SIZE)
    assert opened(tmp_path, 0)[1] == 1


def test_frames_that_are_removed_by_force_stay_mapped(tmp_path):
    frames = opened(tmp_path, 5)[0]
    for path in tmp_path.iterdir():
        path.unlink()
    assert (frames == 5).all()
    assert opened(tmp_path, 5)[1] == 1


def test_frames_removed_between_writing_and_opening_are_made_again(tmp_path, monkeypatch):
    write, written = frame_cache._write, []

    def and_lose(stem, decode):
        write(stem, decode)
        written.append(stem)
        if len(written) == 1:
            stem.with_suffix(".rgb").unlink()

    monkeypatch.setattr(frame_cache, "_write", and_lose)
    assert opened(tmp_path, 1)[1] == 2


def test_what_a_killed_writer_left_is_removed_after_a_while(tmp_path):
    old, new = tmp_path / "0a.77.part1", tmp_path / "0a.78.part1"
    for path in (old, new):
        path.write_bytes(b"half a video")
    os.utime(old, (time.time() - ABANDONED_S - 1,) * 2)
    opened(tmp_path, 1)
    assert {path.name for path in tmp_path.glob("*part*")} == {new.name}


def test_a_failed_decode_leaves_nothing(tmp_path):
    def decode(file):
        file.write(b"some")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        open_frames(tmp_path / "cache", "key", decode)
    assert not list((tmp_path / "cache").iterdir())
