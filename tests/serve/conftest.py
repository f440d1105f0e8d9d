"""What the tests of the page need beside the server."""

import os

import pytest
from chromium import find_chromium


@pytest.fixture(scope="session")
def browser():
    """Chromium is there, or the test is passed over."""
    if not find_chromium():
        if os.environ.get("FAIL_WITHOUT_BROWSER"):
            pytest.fail("there is no chromium; install the distribution's package")
        pytest.skip("there is no chromium")
