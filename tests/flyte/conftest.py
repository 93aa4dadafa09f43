"""The local endpoint, with the SDK initialised for it."""

import flyte
import pytest

from passthrough_auth.testing.flyte import FlyteEndpoint


@pytest.fixture
def endpoint(flyte_endpoint: FlyteEndpoint) -> FlyteEndpoint:
    flyte.init_passthrough(project=flyte_endpoint.project, domain=flyte_endpoint.domain)
    return flyte_endpoint
