"""The words that cases are written in. They know no client."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from passthrough_auth.core import Destinations, Hold, auth_metadata

Feature = str
"""What not every client has: "http" hops, a "base_url", "digest" auth, "cancellation" of a call."""

CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "x-team-token"})
"""What counts as a credential where it arrives: what callers have, under any value."""


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


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back at the end of a call: the headers with which the last hop had arrived."""

    status: int
    arrived: Mapping[str, str]
    set_cookie: str | None = None

    @classmethod
    def of(cls, status: int, body: bytes, set_cookie: str | None = None) -> Self:
        """The reply with this body, which is empty if the last hop was a redirect."""
        arrived: dict[str, str] = json.loads(body)["headers"] if body else {}
        return cls(status, arrived, set_cookie)

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
    """What a driver needs to know of the servers."""

    ca_file: str


class Driver(ABC):
    """How the suite uses one client library: all that a new client has to write."""

    name: str
    features: frozenset[Feature] = frozenset({"http"})
    refused: tuple[type[BaseException], ...]
    """What the library raises where nobody listens."""
    timed_out: tuple[type[BaseException], ...]
    """What it raises when the server takes longer than the call's timeout."""

    @abstractmethod
    def open(
        self, world: World, destinations: Destinations, base_url: str | None = None
    ) -> AbstractContextManager[Any]:
        """The caller's client, closed at the end of the `with` block."""

    @abstractmethod
    def fetch(self, client: Any, call: Call) -> Reply:
        """Make a call in the current context, following redirects."""

    @abstractmethod
    def fetch_many(self, client: Any, calls: "list[As]", workers: int) -> list[Reply]:
        """Make all these calls, each as its caller, so many at once. In the order given."""

    def cancel(self, client: Any, call: Call) -> BaseException:
        """Make a call, cancel it under way, and return what it raised (`cancellation`)."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class As:
    """A call made as a caller with these credentials; as nobody, on a public path, without any."""

    credentials: tuple[tuple[str, str], ...]
    call: Call

    def serving(self) -> AbstractContextManager[object]:
        """What the call is made within."""
        if self.credentials:
            return auth_metadata(*self.credentials, bindings=())
        return Hold(None, "public").active()
