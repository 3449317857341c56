"""What every test of the engine leaves as it found it."""

import pytest

from cockpit.engine import kernel


@pytest.fixture(autouse=True)
def orphans_go_home():
    """Runners started in the test's own process make it a subreaper: the next test's orphans would be its children."""
    yield
    if kernel.LINUX:
        kernel._prctl(kernel._PR_SET_CHILD_SUBREAPER, 0)
