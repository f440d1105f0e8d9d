import os
from pathlib import Path

import pytest

FOOTAGE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def footage():
    """Public footage beside the checkout, which no fresh clone has."""
    if not FOOTAGE.is_dir():
        if os.environ.get("FAIL_WITHOUT_FOOTAGE"):
            pytest.fail(f"there is no footage at {FOOTAGE}")
        pytest.skip(f"there is no footage at {FOOTAGE}")
    return FOOTAGE
