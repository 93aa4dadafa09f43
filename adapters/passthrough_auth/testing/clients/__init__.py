"""The conformance suite of the clients: cases that know no client, over real servers.

    @pytest.mark.parametrize("case", cases_for(MyDriver()), ids=str)
    def test_conformance(case, world):
        case.run(Bench(MyDriver(), world))

A new client is a `Driver` of a few lines. `python -m passthrough_auth.testing.clients` runs all the
cases over all the clients and prints the result; with `--soak` it looks for crossed callers.
"""

from importlib import import_module

from passthrough_auth.core import requires_extra

with requires_extra("testing", module="trustme"):
    import_module("trustme")  # before anything below needs it

from .cases import CASES, Bench, Case, cases_for
from .drivers import DRIVERS, driver
from .drivers.base import AsyncDriver, SyncDriver
from .model import Arrival, As, Call, Driver, Reply
from .world import HttpWorld, LocalWorld, http_world

__all__ = [
    "CASES",
    "DRIVERS",
    "Arrival",
    "As",
    "AsyncDriver",
    "Bench",
    "Call",
    "Case",
    "Driver",
    "HttpWorld",
    "LocalWorld",
    "Reply",
    "SyncDriver",
    "cases_for",
    "driver",
    "http_world",
]
