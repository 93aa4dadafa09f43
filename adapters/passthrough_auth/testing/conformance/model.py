"""The classes and checks that cases are made of. They depend on HTTP and on no framework."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

Feature = Literal[
    "allow-preflight",
    "async",
    "async-stream",
    "background",
    "raw-asgi",
    "sync-stream",
    "websocket",
]
Interface = Literal["asgi", "wsgi"]
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
    """The client leaves after so many chunks of the response, without reading the rest."""
    scope: tuple[tuple[str, Any], ...] = ()
    """Changes to the ASGI scope that only a server can make, and no client."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, as it was received.

    `chunks` are the pieces of the body, or the messages of a WebSocket. For a scope that is neither
    HTTP nor WebSocket, they are the messages that the app sent, as lines of JSON.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    chunks: tuple[bytes, ...] = ()
    denial_response: bool = False
    """Whether the server let the app refuse this WebSocket with a response."""
    raised: str | None = None
    """The error that the app raised to its server, "" if it raised none.

    None over a socket, where it can't be seen. An error at start-up may be known there too.
    """

    def values(self, name: str) -> list[str]:
        """Every value of that header."""
        return [value for own, value in self.headers if own.lower() == name]


Check = Callable[[Answer], str | None]
"""Returns the complaint about an answer, or None if the answer is right."""


class Step(NamedTuple):
    """A call, and the check of its answer."""

    call: Call
    check: Check


class Case:
    """One sentence of the semantics, as requests and the answers that they must get.

    The steps run one after the other on one connection, and in process in one context. So a step
    finds everything that the step before it left behind.

    Attributes:
        name: Its name in tables and reports.
        why: The sentence.
        steps: The requests and the checks of their answers.
        options: The name of the gate's options.
        needs: The features that a column must offer.
        server_may_refuse: A server may answer 400, 414 or 431 by itself, or close the connection,
            before the app gets the request.
        mountable: Whether the target means the same behind a prefix.
        pipelined: Over a socket, all requests are sent before the first answer is read.
        interface: Only for columns of this interface.
    """

    def __init__(
        self,
        name: str,
        why: str,
        *steps: tuple[Call, Check],
        options: str = "default",
        needs: Iterable[Feature] = (),
        server_may_refuse: bool = False,
        mountable: bool = True,
        pipelined: bool = False,
        interface: Interface | None = None,
    ) -> None:
        self.name = name
        self.why = why
        self.steps = tuple(Step(*each) for each in steps)
        self.options = options
        self.needs = frozenset(needs)
        self.server_may_refuse = server_may_refuse
        self.mountable = mountable
        self.pipelined = pipelined
        self.interface = interface

    @property
    def in_process_only(self) -> bool:
        """Whether it changes the scope in a way that no client can."""
        return any(step.call.scope for step in self.steps)

    def __str__(self) -> str:
        return self.name


def all_of(*checks: Check) -> Check:
    """The answer passes all of these checks. Returns the first complaint."""

    def check(answer: Answer) -> str | None:
        return next((wrong for each in checks if (wrong := each(answer)) is not None), None)

    return check


def either(*checks: Check) -> Check:
    """The answer passes one of these checks. Returns the complaint of the last one."""

    def check(answer: Answer) -> str | None:
        wrong: str | None = None
        for each in checks:
            wrong = each(answer)
            if wrong is None:
                return None
        return wrong

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
    """That header has exactly these values, a line each. Without values, it must be absent."""

    def check(answer: Answer) -> str | None:
        found = answer.values(name)
        return None if found == list(expected) else f"{name} is {found}, not {list(expected)}"

    return check


def chunks(at_least: int, **expected: object) -> Check:
    """The body has at least so many lines of JSON, each with these values."""

    def check(answer: Answer) -> str | None:
        lines = [_parsed(line) for line in b"".join(answer.chunks).splitlines() if line]
        if len(lines) < at_least:
            return f"{len(lines)} lines, not {at_least}; status {answer.status}"
        wrong = [line for line in lines if not _holds(line, expected)]
        return f"a line of the body says {wrong[0]}, not {expected}" if wrong else None

    return check


def json_lines(*expected: Mapping[str, object]) -> Check:
    """The body consists of exactly these lines of JSON, each with at least these values."""

    def check(answer: Answer) -> str | None:
        found = [_parsed(line) for line in b"".join(answer.chunks).splitlines() if line]
        if len(found) == len(expected) and all(map(_holds, found, expected)):
            return None
        return f"the lines are {found}, not {list(expected)}; status {answer.status}"

    return check


def no_body() -> Check:
    """The answer has no body."""
    return lambda answer: f"there is a body: {answer.body[:200]!r}" if answer.body else None


def error_line(error: Exception) -> str:
    """The error as the last line of a traceback shows it, and those of a group (task groups)."""
    line = f"{type(error).__name__}: {error}"
    if not isinstance(error, ExceptionGroup):
        return line
    group = cast("ExceptionGroup[Exception]", error)
    return "; ".join([line, *map(error_line, group.exceptions)])


def raises(error: type[Exception], *words: str) -> Check:
    """The app fails with that error and these words in its text. Clients see at most a 500."""

    def check(answer: Answer) -> str | None:
        if answer.status not in (0, 500):
            return f"answered with {answer.status}: {answer.body[:200]!r}"
        if answer.raised is None:
            return None
        wanted = (f"{error.__name__}: ", *words)
        missing = [each for each in wanted if each not in answer.raised]
        return f"raised {answer.raised!r}, without {missing}" if missing else None

    return check


def fails_with(text: str) -> Check:
    """A 500. If the error reaches the server, it is the app's own, with this text."""

    def check(answer: Answer) -> str | None:
        if answer.status != 500:
            return f"status {answer.status}, not 500; body {answer.body[:200]!r}"
        if answer.raised and text not in answer.raised:
            return f"raised {answer.raised!r}, not the app's own {text!r}"
        return None

    return check


def logged_once(*words: str) -> Check:
    """The log has messages with all of these words, and each of them once."""

    def check(answer: Answer) -> str | None:
        log = cast("dict[str, int]", (_parsed(answer.body) or {}).get("log", {}))
        found = {text: times for text, times in log.items() if all(map(text.__contains__, words))}
        return None if set(found.values()) == {1} else f"logged were {found}, of {list(log)}"

    return check


def shows(text: str) -> Check:
    """The body contains that text."""
    return lambda answer: (
        None if text in answer.body.decode("latin-1") else f"the body doesn't show {text!r}"
    )


def hides(text: str) -> Check:
    """The body doesn't contain that text. Headers may: the app's middleware sets some."""
    return lambda answer: (
        f"the body shows {text!r}" if text in answer.body.decode("latin-1") else None
    )


def without(*secrets: str) -> Check:
    """Neither the headers nor the body contain any of these."""

    def check(answer: Answer) -> str | None:
        text = repr(answer.headers) + answer.body.decode("latin-1")
        return next((f"the answer echoes {each!r}" for each in secrets if each in text), None)

    return check


def sees(**caller: str) -> Check:
    """The handler ran and saw exactly these credentials. Write `x_session` for `x-session`."""
    expected = {name.replace("_", "-"): value for name, value in caller.items()}
    return all_of(status(200), body(caller=expected, absence=None))


def sees_no_caller(absence: str = "public") -> Check:
    """The handler ran without a caller, for this reason."""
    return all_of(status(200), body(caller=None, absence=absence))


def refused(detail: str = "required", challenge: str = "Bearer") -> Check:
    """The complete 401: status, body, challenge, and no sign that the handler ran."""
    if detail == "malformed":
        challenge += f'{", " if "=" in challenge else " "}error="invalid_token"'
    return all_of(
        status(401),
        body(detail=f"Authentication credentials {detail}"),
        header("www-authenticate", challenge),
        header("cache-control", "no-store"),
        header("content-type", "application/json"),
        header("x-handler"),
    )


def cross_site() -> Check:
    """The 403 for a request that another site made a browser send."""
    return all_of(
        status(403),
        body(detail="Cross-site request with ambient credentials refused"),
        header("www-authenticate"),
        header("cache-control", "no-store"),
        header("x-handler"),
    )


def closed_or_refused(expected: Check) -> Check:
    """A WebSocket handshake that was refused with that answer.

    A server that can't send a response to a handshake closes it instead, which is a plain 403.
    """
    closed = status(403)
    return lambda answer: expected(answer) if answer.denial_response else closed(answer)


def _parsed(text: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, object]", found) if isinstance(found, dict) else None


def _holds(found: dict[str, object] | None, expected: Mapping[str, object]) -> bool:
    return found is not None and all(found.get(key) == expected[key] for key in expected)
