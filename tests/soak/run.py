"""Having many clients make requests of one server at once, and looking after them meanwhile."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from random import Random

from tests.soak.app import KEPT, RECORDS
from tests.soak.client import Client
from tests.soak.memory import Memory
from tests.soak.service import Service
from tests.soak.traffic import Tally, Traffic

from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.servers import Server

CLIENTS = 24
_DRAIN = 0.5  # seconds between two looks at the notes of work after responses
_POLL = 0.05  # seconds between two looks at work that must end

Watch = Callable[[int], None]
"""Told, now and then, how many requests were answered."""


class Run:
    """The clients of one server."""

    def __init__(
        self,
        service: Service,
        server: Server,
        column: Column,
        *,
        seed: int,
        patience: float,
        watch: Watch,
    ) -> None:
        self._service = service
        self._traffic = Traffic(service, server, column)
        # The same seed makes the same choices.
        seeds = [f"{seed} {number}" for number in range(CLIENTS)]
        self._chances = [Random(each) for each in seeds]  # noqa: S311 - not for secrets
        self._patience = patience
        self._watch = watch

    def flow(self, requests: int) -> None:
        """Have all clients make so many requests."""
        with self._clients(requests) as working:
            self._look_after(working)

    def measured_flow(self, requests: int, rest: float) -> Memory:
        """The same, and how much memory the server takes after the first tenth and the last."""
        tenth = requests // 10
        self.flow(tenth)
        first = self._at_rest(rest)
        self.flow(requests - 2 * tenth)
        self.flow(tenth)
        return Memory(first, self._at_rest(rest))

    def _at_rest(self, rest: float) -> int:
        self._settle()
        # Some servers still have unsent bodies of clients that left, or clear up every second.
        time.sleep(rest)
        self._service.ask(KEPT)  # which tidies up
        return self._service.memory()

    def flow_while_killed(self, requests: int) -> None:
        """The same, while the worker is killed halfway."""
        self._settle()
        with self._traffic.being_killed(), self._clients(requests) as working:
            while self._traffic.left > requests / 2:
                self._look_after(working, seconds=0.01)
            self._traffic.injected("worker killed")
            self._service.kill()
            self._service.wait()
            self._look_after(working)

    def kept(self) -> int:
        """How many callers are still in memory, at the least, with no request being served."""
        deadline = time.monotonic() + self._patience
        while (callers := self._service.ask(KEPT)["callers"]) and time.monotonic() < deadline:
            time.sleep(_POLL * 5)  # it goes through all that there is in memory
        return int(callers)

    def finish(self) -> Tally:
        """The tally of all requests."""
        self._settle()
        return self._traffic.close()

    @contextmanager
    def _clients(self, requests: int) -> Generator[list[Future[None]]]:
        self._traffic.plan(requests)
        with ThreadPoolExecutor(CLIENTS) as pool:
            working = [pool.submit(Client(self._traffic, each).run) for each in self._chances]
            try:
                yield working
            finally:
                self._traffic.stop()
            for client in working:
                client.result()

    def _look_after(self, working: list[Future[None]], seconds: float = float("inf")) -> None:
        """Collect the notes of work after responses, for so long or until the clients are done."""
        deadline = time.monotonic() + seconds
        while wait(working, min(_DRAIN, seconds)).not_done:
            self._drain()
            if time.monotonic() > deadline:
                return

    def _settle(self) -> None:
        deadline = time.monotonic() + self._patience
        while self._traffic.owed and time.monotonic() < deadline:
            self._drain()
            time.sleep(_POLL)

    def _drain(self) -> None:
        self._watch(self._traffic.tally.requests)
        with suppress(OSError):  # also while the worker is killed
            self._traffic.noted(self._service.ask(RECORDS))
