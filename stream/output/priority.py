"""Encoders begin without taking the machine for themselves."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from av.container import OutputContainer


def start_encoding(container: OutputContainer) -> None:
    """Open a container's encoders and leave every thread's scheduling as it was.

    Run by root, SVT-AV1 gives its threads and the one that calls it real-time priority, and so all
    that either starts later (libsvtav1 in PyAV 18: policy FIFO, priority 99). Those would come
    before everything else on the machine, and two that wait for a third can stop it altogether.
    """
    if sys.platform != "linux":
        container.start_encoding()
        return
    before = _in_real_time()
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        container.start_encoding()
    finally:
        for thread in _in_real_time() - before:
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(thread, policy, priority)


def _in_real_time() -> set[int]:
    """This process's threads that have real-time priority."""
    found = set()
    for folder in Path("/proc/self/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            if os.sched_getscheduler(int(folder.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(int(folder.name))
    return found
