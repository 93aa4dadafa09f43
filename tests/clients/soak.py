"""Many callers over one shared client, for a long time: does any call carry another's identity?"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.clients.suite import AsyncDriver, Bench, Driver, LocalWorld
from tests.clients.suite.cases import crossed, mixed_calls

THREADS = 64
TASKS = 1000
_ROUND = 2000


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one client's run."""

    client: str
    calls: int
    workers: str
    crossed_credentials: int
    crossed_cookies: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing was crossed."""
        return self.crossed_credentials == self.crossed_cookies == 0


def soak(driver: Driver, world: LocalWorld, calls: int) -> Figures:
    """Make so many calls, in rounds, over one client that all of them share."""
    is_async = isinstance(driver, AsyncDriver)
    workers = TASKS if is_async else THREADS
    credentials = cookies = 0
    began = time.monotonic()
    with Bench(driver, world).open(world.destinations(on_missing="anonymous")) as client:
        for size in _rounds(calls):
            world.clear()
            made = mixed_calls(world, size)
            found = crossed(made, driver.fetch_many(client, made, workers))
            credentials += found[0]
            cookies += found[1]
    kind = "tasks" if is_async else "threads"
    seconds = time.monotonic() - began
    return Figures(driver.name, calls, f"{workers} {kind}", credentials, cookies, seconds)


def _rounds(calls: int) -> Iterator[int]:
    while calls > 0:
        yield min(calls, _ROUND)
        calls -= _ROUND
