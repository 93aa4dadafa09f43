"""The servers that every client is tried against, started once."""

import pytest

# So that a failed case shows what arrived.
pytest.register_assert_rewrite("tests.clients.suite.cases")

from tests.clients.suite import http_world  # noqa: E402 - after the line above


@pytest.fixture(scope="session")
def world():
    with http_world() as running:
        yield running
        # Over every case of every client that this run tried.
        assert running.credentials_at_strangers == 0


@pytest.fixture(scope="module")
def fresh_world():
    """Servers of a test's own, whose count of leaks is its own too."""
    with http_world() as running:
        yield running
