"""Shared by all tests: clips made once, and a check that no thread outlives its test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clips import Clip, make_clip


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Clip], Path]:
    """A function that gives the path of a clip, made on first use; not to be written to."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[Clip, Path] = {}

    def get(wanted: Clip) -> Path:
        if wanted not in made:
            path = folder / f"{len(made)}{wanted.suffix}"
            make_clip(path, wanted)
            made[wanted] = path
        return made[wanted]

    return get


@pytest.fixture(autouse=True)
def no_thread_leaks() -> Iterator[None]:
    """Every thread a test starts has ended with it; those of libraries' pools stay."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    ours = [thread.name for thread in left if thread.name in ("capture", "inference")]
    assert not ours, f"threads left running: {ours}"
