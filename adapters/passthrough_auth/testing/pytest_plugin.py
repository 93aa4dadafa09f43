"""The pytest fixture `flyte_endpoint`: the local Flyte endpoint in a user's own tests.

Enable it in the top `conftest.py`::

    pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

and use it::

    def test_the_job_is_run_by_the_caller(flyte_endpoint):
        flyte.init_passthrough(project=flyte_endpoint.project, domain=flyte_endpoint.domain)
        app_client.post("/trigger-job", headers={"authorization": "Bearer alice-token"})
        assert [run.caller for run in flyte_endpoint.runs] == ["alice"]

The SDK has one client for the whole process, and reads the environment when
`flyte.init_passthrough` builds it. So each test that uses the fixture must initialise the SDK, or
start an app that does, after the fixture has set the environment. Without an `endpoint` argument
the SDK uses the endpoint from there. Before the test, the SDK is initialised as `fserve` does it in
a cluster: with the app's own client, so that `flyte.current_project()` works in the app's lifespan.
After the test the fixture removes the client (with `flyte.init()` without an endpoint). A later
test that forgot to initialise then fails with flyte's InitializationError, instead of calling this
endpoint.
"""

import sys
from collections.abc import Iterator
from typing import Any

from passthrough_auth.optional_import import optional_import

with optional_import("flyte,testing", module="pytest"):
    import pytest

from passthrough_auth.testing.flyte import FlyteEndpoint


@pytest.fixture(scope="module")
def flyte_endpoint_options() -> dict[str, Any]:
    """Return the arguments of the :class:`FlyteEndpoint`. Override this fixture to choose them.

    An override in a `conftest.py` or a test module needs the scope "module" or "session".
    """
    return {}


@pytest.fixture(scope="module")
def _flyte_endpoint_running(flyte_endpoint_options: dict[str, Any]) -> Iterator[FlyteEndpoint]:
    """Serve one endpoint for all tests of a module."""
    with FlyteEndpoint(**flyte_endpoint_options) as endpoint:
        yield endpoint


@pytest.fixture
def flyte_endpoint(
    _flyte_endpoint_running: FlyteEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlyteEndpoint]:
    """Yield a local Flyte endpoint without recorded calls, and set the environment to use it."""
    for name, value in _flyte_endpoint_running.environment().items():
        monkeypatch.setenv(name, value)
    # Each initialisation of the SDK adds the working directory to sys.path.
    monkeypatch.setattr(sys, "path", list(sys.path))
    _flyte_endpoint_running.reset()
    import flyte  # which starts a thread

    # As `fserve` does in a cluster before it serves an app.
    flyte.init_in_cluster()
    yield _flyte_endpoint_running
    flyte.init()
