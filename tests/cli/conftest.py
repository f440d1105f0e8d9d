import json
import os
from pathlib import Path

import pytest

from stream.cli import main

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
def live(random_model, tmp_path, capsys):
    """Run the command with a fast model; returns its exit code, report and messages."""

    def run(*argv, model=random_model):
        report = tmp_path / "report.json"
        code = main(["live", *argv, "--model", model, "--device", "cpu", "--report", str(report)])
        return code, json.loads(report.read_text()), capsys.readouterr()

    return run
