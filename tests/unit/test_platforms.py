"""What Windows lacks is asked of nobody: no module and no function of POSIX without another way."""

import subprocess
import sys

import psutil
import pytest

from models.training import pool
from stream.bench.machine import machine_facts
from stream.bench.timing import resident_mib

WITHOUT_POSIX = """
import os
import sys

import psutil  # has a way of its own on each system

for name in ("grp", "pwd", "resource"):
    sys.modules[name] = None
for name in ("getloadavg", "nice"):
    delattr(os, name)

import stream.bench.machine
from models.training.pool import _give_way
from stream.bench.timing import resident_mib

_give_way()
print(resident_mib() > 1)
"""


def test_bench_and_renderers_run_without_what_only_posix_has():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr


def test_memory_in_use_is_what_the_system_says():
    held = bytearray(64 * 2**20)
    held[::4096] = bytes([1]) * len(held[::4096])  # every page is written to
    before = resident_mib()
    del held
    assert before - resident_mib() == pytest.approx(64, abs=8)


def test_a_machine_tells_its_memory_and_load():
    facts = machine_facts()
    assert facts["memory_gib"] == pytest.approx(psutil.virtual_memory().total / 2**30, abs=0.1)
    assert facts["load_average"] >= 0


class Process:
    """Takes the place of psutil's."""

    def __init__(self, priority):
        self.priority = priority

    def nice(self, priority=None):
        if priority is not None:
            self.priority = priority
        return self.priority


@pytest.mark.parametrize(
    ("windows", "before", "after"), [(False, 0, 5), (False, 17, 19), (True, 32, 16384)]
)
def test_renderers_give_way(windows, before, after, monkeypatch):
    """On Windows a class of priorities, elsewhere a number that only root could lower again."""
    process = Process(before)
    monkeypatch.setattr(psutil, "WINDOWS", windows)
    monkeypatch.setattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", 16384, raising=False)
    monkeypatch.setattr(psutil, "Process", lambda: process)
    pool._give_way()
    assert process.priority == after
