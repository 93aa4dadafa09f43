"""httpx and httpx2: the suite that every client passes, and what is their own."""

import pytest

from passthrough_auth.testing.clients import Bench, cases_for, driver

DRIVERS = [driver(name) for name in ("httpx", "httpx-async", "httpx2", "httpx2-async")]


@pytest.mark.parametrize(
    ("client", "case"),
    [(client, case) for client in DRIVERS for case in cases_for(client)],
    ids=str,
)
def test_conformance(client, case, world):
    case.run(Bench(client, world))
