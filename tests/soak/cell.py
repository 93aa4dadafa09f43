"""The cells of a soak, each a server with a framework, and the figures of each."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.conformance.matrix import all_columns
from tests.soak.memory import Memory
from tests.soak.run import Run, Watch
from tests.soak.service import service
from tests.soak.traffic import Tally

from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.servers import SERVERS, Server

PATIENCE = 60.0  # seconds; on some servers a handler goes on for long after its client has left

REST = 4.0  # seconds without requests before memory is looked at

NOT_POSSIBLE = {
    # asgiref runs an async view in an event loop of the request's own, and all requests share one
    # thread here, which can run one loop at a time: "You cannot use AsyncToSync in the same thread
    # as an async event loop", a 500, whenever two requests overlap.
    ("gunicorn-gevent", "Flask, async views"),
}

# Its memory (0.18) grows with an app that knows nothing of this library, too: see docs/soak.md.
UNBOUNDED = {"hypercorn-wsgi"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A server, and the column that it serves."""

    server: Server
    column: Column

    def __str__(self) -> str:
        return f"{self.server.name}, {self.column.name}"


@dataclass(frozen=True, slots=True)
class Figures:
    """The results of a cell. `kept` are callers that were in memory with no request served."""

    cell: Cell
    tally: Tally
    kept: int
    memory: Memory
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing was crossed, stale, lost, broken or kept, and memory didn't grow."""
        grew = self.memory.grew and self.cell.server.name not in UNBOUNDED
        return not (self.tally.faults.total() or self.kept or grew)


def cells(servers: Iterable[str] = (), framework: str = "") -> list[Cell]:
    """Every server with every column; or these servers, and the columns with that in their name."""
    names = list(servers)
    return [
        Cell(server, column)
        for server in SERVERS
        for column in all_columns()
        if server.interface == column.interface
        and not column.mounted
        and (server.name in names or not names)
        and framework.lower() in column.name.lower()
        and (server.name, column.name) not in NOT_POSSIBLE
        # FastAPI is Starlette with more on top.
        and (column.name != "Starlette" or framework)
    ]


def soak(
    cell: Cell,
    requests: int,
    *,
    seed: int = 0,
    broken: str | None = None,
    patience: float = PATIENCE,
    rest: float = REST,
    watch: Watch = lambda _: None,
) -> Figures:
    """Make so many requests of a cell.

    Two fifths of them warm the server up, a tenth at the end is made while its worker is killed;
    memory is looked at in between, each time after `rest` seconds without requests. `broken` names
    one of the `BREAKS`, `patience` is the time in seconds after which nothing may be left of any
    request, and `watch` is told the progress.
    """
    began = time.monotonic()
    warming, killing = requests * 2 // 5, requests // 10
    with service(cell.server, cell.column, broken) as running:
        run = Run(running, cell.server, cell.column, seed=seed, patience=patience, watch=watch)
        run.flow(warming)
        memory = run.measured_flow(requests - warming - killing, rest)
        kept = run.kept()
        run.flow_while_killed(killing)
        tally = run.finish()
    return Figures(cell, tally, kept, memory, time.monotonic() - began)
