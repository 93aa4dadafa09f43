"""The pytest fixture `flyte_endpoint`: the local Flyte endpoint in a user's own tests.

Enable it in the top `conftest.py`::

    pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

and use it::

    def test_the_job_is_run_by_the_caller(flyte_endpoint):
        flyte.init_passthrough(project=flyte_endpoint.project, domain=flyte_endpoint.domain)
        app_client.post("/trigger-job", headers={"authorization": "Bearer alice-token"})
        assert [run.caller for run in flyte_endpoint.runs] == ["alice"]

The SDK holds one client for the whole process, and reads the environment when
`flyte.init_passthrough` builds it. So each test that uses the fixture initialises the SDK itself,
or starts an app that does, after the fixture has set the environment; without an `endpoint`
argument the SDK finds the one that the fixture named there. After the test the fixture takes the
client away again (`flyte.init()` without an endpoint does that), so that a later test that forgot
to initialise fails with flyte's InitializationError, and doesn't reach for this one.
"""

import sys
from collections.abc import Iterator
from typing import Any

from passthrough_auth.core import requires_extra

with requires_extra("flyte,testing", module="pytest"):
    import pytest

from passthrough_auth.testing.flyte import FlyteEndpoint


@pytest.fixture(scope="module")
def flyte_endpoint_options() -> dict[str, Any]:
    """Give the arguments of the :class:`FlyteEndpoint`; override this fixture to choose them.

    An override in a `conftest.py` or a test module has the scope "module" or "session".
    """
    return {}


@pytest.fixture(scope="module")
def _flyte_endpoint_running(flyte_endpoint_options: dict[str, Any]) -> Iterator[FlyteEndpoint]:
    """Serve one endpoint for the tests of a module."""
    with FlyteEndpoint(**flyte_endpoint_options) as endpoint:
        yield endpoint


@pytest.fixture
def flyte_endpoint(
    _flyte_endpoint_running: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlyteEndpoint]:
    """Give a local Flyte endpoint with an empty record, and the environment set to use it."""
    for name, value in _flyte_endpoint_running.environment().items():
        monkeypatch.setenv(name, value)
    # Each initialisation of the SDK adds the working directory to the path.
    monkeypatch.setattr(sys, "path", list(sys.path))
    _flyte_endpoint_running.reset()
    yield _flyte_endpoint_running
    if "flyte" in sys.modules:
        sys.modules["flyte"].init()
