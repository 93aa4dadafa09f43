"""gRPC: the cases that every client passes, for each kind of call, and what is its own."""

import pytest

from passthrough_auth.testing.clients import DRIVERS, Bench, cases_for, driver
from passthrough_auth.testing.clients.grpc_world import grpc_world

KINDS = [driver(name) for name in DRIVERS if name.startswith("grpc")]


@pytest.fixture(scope="module")
def world():
    with grpc_world() as running:
        yield running
        assert running.credentials_at_strangers == 0


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind in KINDS for case in cases_for(kind)], ids=str
)
def test_conformance(kind, case, world):
    case.run(Bench(kind, world))
