import json
import os
from functools import partial
from pathlib import Path

import pytest

from stream.cli import main
from stream.pipeline import Pipeline

FOOTAGE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def footage():
    """Public footage beside the checkout, which no fresh clone has."""
    if not FOOTAGE.is_dir():
        if os.environ.get("FAIL_WITHOUT_FOOTAGE"):
            pytest.fail(f"there is no footage at {FOOTAGE}")
        pytest.skip(f"there is no footage at {FOOTAGE}")
    return FOOTAGE


@pytest.fixture
def live(random_model, tmp_path, capsys, monkeypatch):
    """Run the command with a fast model; returns its exit code, report and messages.

    With ``frames`` it ends behind so many that are shown, however long they take.
    """

    def run(*argv, model=random_model, frames=None):
        if frames:
            monkeypatch.setattr("stream.cli.live.Pipeline", partial(counted, frames))
        report = tmp_path / "report.json"
        code = main(["live", *argv, "--model", model, "--device", "cpu", "--report", str(report)])
        return code, json.loads(report.read_text()), capsys.readouterr()

    return run


def counted(frames, *stages, on_progress, **options):
    """A pipeline that stops after so many frames."""

    def progress(stats):
        on_progress(stats)
        if stats.frames_out == frames:
            pipeline.stop()

    pipeline = Pipeline(*stages, on_progress=progress, **options)
    return pipeline
