"""Shared by all clients of one server: the requests left to make, and the results so far."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.soak.asks import Ask
from tests.soak.judge import Fault, Kind, Sent, judge, judge_later
from tests.soak.service import Service

from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.conformance.model import Answer
from passthrough_auth.testing.servers import Server

MISBEHAVING = 12  # one round in so many
EXAMPLES = 10  # faults that are shown in words; all are counted


@dataclass
class Tally:
    """The results so far.

    `requests` are those that were answered, and judged. `injected` counts the misbehaviours on
    purpose, by their name; `cut` the requests that went without an answer, with a killed worker or
    for a handler that failed on purpose.
    """

    requests: int = 0
    faults: Counter[Kind] = field(default_factory=Counter["Kind"])
    injected: Counter[str] = field(default_factory=Counter[str])
    cut: int = 0
    examples: list[str] = field(default_factory=list[str])

    def add(self, faults: list[Fault]) -> None:
        """Count these faults."""
        for fault in faults:
            self.faults[fault.kind] += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(f"{fault.kind}: {fault.text}")


class Traffic:
    """Safe to use from all the clients' threads."""

    def __init__(self, service: Service, server: Server, column: Column) -> None:
        self.service = service
        self.server = server
        self.column = column
        self.tally = Tally()
        self.killing = False
        """Whether the worker is being killed: requests may go without an answer."""
        self._lock = threading.Lock()
        self._marks = itertools.count(1)
        self._rounds = itertools.count()
        self.left = 0
        self._awaited: dict[str, Sent] = {}
        self._reported: set[str] = set()
        self._owed: set[str] = set()

    def plan(self, requests: int) -> None:
        """Have so many more requests made."""
        with self._lock:
            self.left += requests

    def stop(self) -> None:
        """Have no more requests made."""
        with self._lock:
            self.left = 0

    def take(self, wanted: int) -> int:
        """How many of these a client shall make; 0 when all are made."""
        with self._lock:
            taken = min(wanted, self.left)
            self.left -= taken
        return taken

    def misbehaves(self) -> bool:
        """Whether the next round of a client shall misbehave; not by chance, so that some do."""
        return next(self._rounds) % MISBEHAVING == 0

    def sent(self, ask: Ask, chance: Random) -> Sent:
        """A request to be made, with credentials that no other has."""
        mark = f"soak-{next(self._marks)}"
        sent = Sent(ask, mark, _credentials(mark, chance) if ask.sends else {})
        if ask.later:
            with self._lock:
                self._awaited[mark] = sent
        return sent

    def answered(self, sent: Sent, answer: Answer) -> None:
        """Judge an answer."""
        faults = judge(sent, answer)
        with self._lock:
            self.tally.requests += 1
            self.tally.add(faults)
            # Work after a response may be done before the client has read all of that.
            if sent.ask.later and sent.mark not in self._reported and not self.killing:
                self._owed.add(sent.mark)

    def failed(self, problem: str) -> None:
        """Count a request that was not answered, or not as HTTP has it."""
        if self.killing:
            self.cut()
            return
        with self._lock:
            self.tally.add([Fault("broken", problem)])

    def cut(self) -> None:
        """Count a request that may well go without an answer."""
        with self._lock:
            self.tally.cut += 1

    def injected(self, name: str) -> None:
        """Count a misbehaviour on purpose."""
        with self._lock:
            self.tally.injected[name] += 1

    def noted(self, records: Mapping[str, Any]) -> None:
        """Judge the notes of work after responses."""
        with self._lock:
            for mark, noted in records.items():
                self._reported.add(mark)
                self._owed.discard(mark)
                self.tally.add(judge_later(self._awaited[mark], noted))

    @property
    def owed(self) -> bool:
        """Whether work after a response has yet to note anything."""
        return bool(self._owed)

    @contextmanager
    def being_killed(self) -> Generator[None]:
        """While the worker is killed."""
        self._close_books()
        self.killing = True
        yield
        self.killing = False

    def close(self) -> Tally:
        """All that came out."""
        self._close_books()
        return self.tally

    def _close_books(self) -> None:
        with self._lock:
            for mark in self._owed:
                path = self._awaited[mark].ask.path
                self.tally.add([Fault("lost", f"no word from work after {path}")])
            self._owed.clear()


def _credentials(mark: str, chance: Random) -> dict[str, str]:
    kinds: list[Callable[[], dict[str, str]]] = [
        lambda: {"authorization": f"Bearer {mark}"},
        lambda: {"cookie": f"session={mark}"},
        lambda: {"authorization": f"Bearer {mark}", "cookie": f"session={mark}"},
    ]
    return chance.choice(kinds)()
