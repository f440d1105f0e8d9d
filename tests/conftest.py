"""Shared by all tests: clips made once, and a check that no thread or file outlives its test."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

with contextlib.suppress(ModuleNotFoundError):
    import aiortc  # noqa: F401  # before TensorFlow, behind which its libsrtp crashes
import hypothesis
import pytest
from clips import Clip, make_clip

# A shell that starts this in the background has Python ignore Ctrl-C, and all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile(
    "not timed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("not timed")


@pytest.fixture(scope="session", autouse=True)
def _a_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What other runs have decoded or checked says nothing here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


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


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network of a few weights that changes every picture a little, and fast."""
    import numpy as np

    from models.keras_network import build, save_weights
    from models.network import GATES, NetworkConfig

    config = NetworkConfig((8, 8, 8), encoder=(1, 1, 1), decoder=(0, 1), hidden=8, filters=8)
    network = build(config)
    rng = np.random.default_rng(5)
    for variable in network.weights:
        layer = variable.path.split("/")[0]
        gain = {"head": 0.05, **dict.fromkeys(GATES, 0.05)}.get(layer, 1.0)
        fan_in = max(1, int(np.prod(variable.shape[:-1])))
        variable.assign(gain * rng.normal(size=variable.shape) / np.sqrt(fan_in))
    path = tmp_path_factory.mktemp("weights") / "random.npz"
    save_weights(path, config, network)
    return str(path)


@pytest.fixture(autouse=True)
def nothing_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The pipeline's threads and the containers a test opened end with it."""
    folder = tmp_path_factory.getbasetemp()
    before = open_files(folder)
    yield
    threads = [thread.name for thread in threading.enumerate()]
    left = [name for name in threads if name in ("capture", "inference")]
    assert not left, f"threads left running: {left}"
    files = open_files(folder) - before
    assert not files, f"files left open: {files}"
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) == os.SCHED_OTHER, "this thread was left in real time"


def open_files(folder: Path) -> set[str]:
    """Names of files under ``folder`` that this process holds open; none where it cannot tell."""
    held = []
    for link in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            held.append(str(link.readlink()))
    return {name for name in held if name.startswith(str(folder))}
