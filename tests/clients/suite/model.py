"""The vocabulary of the cases. It knows no client."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from passthrough_auth.core import Destinations, acting_as
from passthrough_auth.core.caller import CallerScope

Feature = str
"""One of "http" hops, "base_url", "digest" auth, "cancellation" of a call, "environment_proxies",
"refusals" told from other errors: some clients lack it."""

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "cookie", "private-token", "x-api-key", "x-team-token"}
)
"""The headers that count as credentials where they arrive, with any value."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `url` is absolute, or a path where the client was given a base URL.

    `digest` is a name and password of the app's own, for the library to answer a challenge with
    (RFC 7616), by a second try.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    timeout: float = 60.0
    proxy: str | None = None
    digest: tuple[str, str] | None = None
    raises: bool = False
    """Whether to raise the library's error for a status of 400 and more, as apps do."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call: the headers with which its last hop arrived at the server."""

    status: int
    arrived: Mapping[str, str]
    set_cookie: str | None = None

    @classmethod
    def of(cls, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Self:
        """The reply that a response stands for. The body is empty if the last hop redirected."""
        arrived: dict[str, str] = json.loads(body)["headers"] if body else {}
        return cls(status, arrived, (headers or {}).get("set-cookie"))

    def credentials(self) -> dict[str, str]:
        """The credential headers among them."""
        return {name: value for name, value in self.arrived.items() if name in CREDENTIAL_HEADERS}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it reached an origin. `peer` tells connections apart."""

    origin: str
    path: str
    headers: Mapping[str, str]
    peer: tuple[str, int] = ("", 0)

    def credentials(self) -> dict[str, str]:
        """The credential headers among them."""
        return {name: value for name, value in self.headers.items() if name in CREDENTIAL_HEADERS}


class World(Protocol):
    """The part of the servers that a driver needs."""

    ca_file: str


class Driver(ABC):
    """How the suite uses one client library. A new client needs no more than this."""

    name: str
    features: frozenset[Feature] = frozenset({"http", "refusals"})
    refused: tuple[type[BaseException], ...]
    """The library's errors for a refused connection."""
    timed_out: tuple[type[BaseException], ...]
    """The library's errors for a server that takes longer than the call's timeout."""

    @abstractmethod
    def open(
        self,
        world: World,
        destinations: Destinations,
        base_url: str | None = None,
        **options: bool,
    ) -> AbstractContextManager[Any]:
        """The caller's client, made with these options, closed at the end of the `with` block."""

    @abstractmethod
    def fetch(self, client: Any, call: Call) -> Reply:
        """Make a call in the current context, following redirects."""

    @abstractmethod
    def fetch_many(self, client: Any, calls: "list[As]", workers: int) -> list[Reply]:
        """Make all these calls, each as its caller, so many at once. In the order given."""

    def cancel(self, client: Any, call: Call) -> BaseException:
        """Make a call, cancel it under way, and return the error it raised (`cancellation`)."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class As:
    """A call as the caller with these credentials. Without any, the call of a public path."""

    credentials: tuple[tuple[str, str], ...]
    call: Call

    def serving(self) -> AbstractContextManager[object]:
        """The context manager to make the call in."""
        if self.credentials:
            return acting_as(*self.credentials, bindings=())
        return CallerScope(None, "public").active()
