"""The conformance suite of the clients: cases that know no client, over real servers.

    @pytest.mark.parametrize("case", cases_for(MyDriver()), ids=str)
    def test_conformance(case, world):
        case.run(Bench(MyDriver(), world))

To try a client of your own, write its driver: a `SyncDriver` or an `AsyncDriver` of a few lines.
`world` comes from `http_world()`, which runs servers on this machine.
"""

from .base import AsyncDriver, SyncDriver
from .cases import CASES, Bench, Case, cases_for
from .model import Arrival, As, Call, Driver, Reply
from .world import HttpWorld, LocalWorld, http_world

__all__ = [
    "CASES",
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
    "http_world",
]
