"""The words that cases are written in. They know HTTP, and no framework."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

Feature = Literal[
    "allow-preflight", "async", "async-stream", "background", "sync-stream", "websocket"
]
HeaderLines = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as it goes over the wire."""

    target: bytes = b"/whoami"
    headers: HeaderLines = ()
    method: str = "GET"
    body: bytes = b""
    websocket: bool = False
    leave_after: int | None = None
    """Go away after so many chunks of the response, without reading the rest."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, as it was received. Of a WebSocket, `chunks` are the messages."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    chunks: tuple[bytes, ...] = ()

    def values(self, name: str) -> list[str]:
        """Every value of that header."""
        return [value for own, value in self.headers if own.lower() == name]


Check = Callable[[Answer], str | None]
"""Says what is wrong with an answer; None if nothing is."""


@dataclass(frozen=True, slots=True)
class Step:
    """A call, and what its answer has to be."""

    call: Call
    check: Check


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence of the semantics, as requests and the answers they must get.

    The steps are made one after the other on one connection, in process in one context: whatever a
    step leaves behind is there for the next to find.
    """

    name: str
    why: str
    steps: tuple[Step, ...]
    options: str = "default"
    needs: frozenset[Feature] = frozenset()
    server_may_refuse: bool = False
    """A server may answer 400, 414 or 431 by itself, or hang up, before the app sees anything."""
    mountable: bool = True
    """Whether the target still means the same behind a prefix."""
    pipelined: bool = False
    """Over a socket, all requests are sent before the first answer is read."""

    def __str__(self) -> str:
        return self.name


def both(*checks: Check) -> Check:
    """All of these checks; the first complaint counts."""

    def check(answer: Answer) -> str | None:
        return next((wrong for each in checks if (wrong := each(answer)) is not None), None)

    return check


def status(expected: int) -> Check:
    """The answer has that status."""

    def check(answer: Answer) -> str | None:
        if answer.status == expected:
            return None
        return f"status {answer.status}, not {expected}; body {answer.body[:200]!r}"

    return check


def body(**expected: object) -> Check:
    """The JSON body holds at least these values."""

    def check(answer: Answer) -> str | None:
        found = _parsed(answer.body)
        if found is None:
            return f"the body is {answer.body[:200]!r}, not a JSON object"
        wrong = {key: found.get(key) for key in expected if found.get(key) != expected[key]}
        return f"the body holds {wrong}, not {expected}" if wrong else None

    return check


def header(name: str, *expected: str) -> Check:
    """That header has exactly these values, one a line; none given: it is absent."""

    def check(answer: Answer) -> str | None:
        found = answer.values(name)
        return None if found == list(expected) else f"{name} is {found}, not {list(expected)}"

    return check


def chunks(at_least: int, **expected: object) -> Check:
    """The body arrived line by line, every line of it with these values."""

    def check(answer: Answer) -> str | None:
        lines = [_parsed(line) for line in b"".join(answer.chunks).splitlines() if line]
        if len(lines) < at_least:
            return f"{len(lines)} lines, not {at_least}; status {answer.status}"
        wrong = [line for line in lines if not _holds(line, expected)]
        return f"a line of the body says {wrong[0]}, not {expected}" if wrong else None

    return check


def without(*secrets: str) -> Check:
    """None of these stands anywhere in the answer."""

    def check(answer: Answer) -> str | None:
        text = repr(answer.headers) + answer.body.decode("latin-1")
        return next((f"the answer echoes {each!r}" for each in secrets if each in text), None)

    return check


def sees(**caller: str) -> Check:
    """The handler ran, and saw exactly these credentials, dashes written as underscores."""
    expected = {name.replace("_", "-"): value for name, value in caller.items()}
    return both(status(200), body(caller=expected, absence=None))


def sees_nobody(absence: str = "public") -> Check:
    """The handler ran, and was told why there is no caller."""
    return both(status(200), body(caller=None, absence=absence))


def refused(detail: str = "required", challenge: str = "Bearer") -> Check:
    """The 401, complete."""
    return both(
        status(401),
        body(detail=f"Authentication credentials {detail}"),
        header("www-authenticate", challenge),
        header("cache-control", "no-store"),
        header("content-type", "application/json"),
        header("x-handler"),
    )


def cross_site() -> Check:
    """The 403 for a request that another site made a browser send."""
    return both(
        status(403),
        body(detail="Cross-site request with ambient credentials refused"),
        header("www-authenticate"),
        header("cache-control", "no-store"),
        header("x-handler"),
    )


def closed_or_refused(expected: int) -> Check:
    """A WebSocket handshake that was not accepted.

    With that status, or a plain 403 where the server has no way to send it.
    """

    def check(answer: Answer) -> str | None:
        if answer.status in (expected, 403):
            return None
        return f"the handshake was answered with {answer.status}: {answer.chunks!r}"

    return check


def _parsed(text: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, object]", found) if isinstance(found, dict) else None


def _holds(found: dict[str, object] | None, expected: Mapping[str, object]) -> bool:
    return found is not None and all(found.get(key) == expected[key] for key in expected)
