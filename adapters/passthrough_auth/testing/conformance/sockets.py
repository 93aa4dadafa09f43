"""Runs cases over a real socket, with exactly the bytes of the case."""

import itertools
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Literal, get_args

from passthrough_auth.optional_import import optional_import
from passthrough_auth.testing.servers import Running, Server, serving

with optional_import("testing", module="h11"), optional_import("testing", module="wsproto"):
    from passthrough_auth.testing.wire import (
        ConnectionEnded,
        Incoming,
        Response,
        WebSocketRefused,
        Wire,
        WireError,
        handshake_bytes,
        request_bytes,
    )

from .column import Cell, Column, named
from .inprocess import addressed
from .model import Answer, Call, Case, Step
from .serving import COLUMNS, HEADER, RAISED

_HOST = b"app.example.com"
_OWN_REFUSALS = frozenset({400, 414, 431})
_NOTHING = Answer(0, (), b"")
_keys = itertools.count()

Kind = Literal["passed", "server", "documented", "failed"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a case.

    `server`: the server itself refused the request, as it may. `documented`: the case failed, and
    `DOCUMENTED` lists it for this server.
    """

    kind: Kind
    note: str = ""


@dataclass(frozen=True, slots=True)
class KnownException:
    """A case that can't pass on a server, and why. This library can't repair it.

    With `columns`, it applies only to columns with a name that begins so.
    """

    server: str
    case: str
    why: str
    columns: str = ""

    def concerns(self, server: Server, column: Column, case: Case) -> bool:
        """Whether this is about that case there."""
        there = self.server == server.name and column.name.startswith(self.columns)
        return there and self.case == case.name


_MERGES = "the server makes X_Name and X-Name one before the app can tell them apart"
_TRAILERS = "the server makes headers of trailer fields that come with the rest of the request"
_SLASHES = "the server takes //a for /a before the app sees it, and routes it so"

DOCUMENTED: tuple[KnownException, ...] = (
    KnownException("granian-wsgi", "custom header: another spelling", _MERGES),
    KnownException("hypercorn-wsgi", "custom header: another spelling", _MERGES),
    KnownException("waitress", "protected path: two slashes in front", _SLASHES),
    KnownException("werkzeug", "protected path: two slashes in front", _SLASHES),
    *(
        KnownException(name, "authorization: in the trailer of a chunked body", _TRAILERS)
        for name in ("uvicorn-httptools-asyncio", "uvicorn-httptools-uvloop")
    ),
    KnownException(
        "hypercorn-wsgi",
        "refused: HEAD",
        "the server (0.18) answers 500 to any app whose answer to HEAD has no body",
        columns="Flask",
    ),
    KnownException(
        "hypercorn-wsgi",
        "cross-site: HEAD is safe",
        "the server (0.18) answers 500 to any app whose answer to HEAD has no body",
        columns="Flask",
    ),
    KnownException(
        "hypercorn-wsgi",
        "preflight: let through when allowed",
        "the server (0.18) answers 500 to any app whose answer has no body",
        columns="Flask",
    ),
)


@contextmanager
def serving_columns(server: Server, *names: str) -> Generator[Running]:
    """Serve these columns on the server, as far as they have its interface.

    A name is `module:attribute`, importable in this process; the attribute is a column or an
    iterable of columns. Each is also served below a prefix. Raises `ServerDidNotStart`.
    """
    env = {COLUMNS: ",".join(names), "PYTHONPATH": os.pathsep.join(sys.path)}
    with serving(server, f"{__package__}.serving:{server.interface}", env=env) as running:
        yield running


def failures(server: Server, *names: str) -> list[str]:
    """Run these columns on the server, and return a line for each case that fails.

    `names` are those of `serving_columns`. Cases that need a changed scope don't run over a socket.
    The failures that are documented for the server are left out.
    """
    with serving_columns(server, *names) as running:
        verdicts = [
            (cell, run(running, server, *cell))
            for cell in on_server(named(names, server.interface))
        ]
    return [f"{cell}: {verdict.note}" for cell, verdict in verdicts if verdict.kind == "failed"]


def on_server(columns: Iterable[Column]) -> Iterator[Cell]:
    """The cases of these columns that can be run over a socket."""
    for column in columns:
        for case in column.cases():
            if not case.in_process_only:
                yield Cell(column, case)


def run(running: Running, server: Server, column: Column, case: Case) -> Verdict:
    """Run a case against a column on a running server."""
    client = _Client(running, server, column, case)
    try:
        verdict = client.run()
    finally:
        client.hang_up()
    known = next((each for each in DOCUMENTED if each.concerns(server, column, case)), None)
    if known is None:
        return verdict
    if verdict.kind == "failed":
        return Verdict("documented", known.why)
    return Verdict("failed", f"passed, though it is documented that {known.why}")


class _OwnRefusal(Exception):
    """The server refused the request, as it may in this case."""


class _Client:
    """A client that makes the calls of one case."""

    def __init__(self, running: Running, server: Server, column: Column, case: Case) -> None:
        self._running = running
        self._server = server
        self._column = column
        self._case = case
        self._key = f"{server.name}-{next(_keys)}"
        self._wire: Wire | None = None

    def run(self) -> Verdict:
        try:
            for number, step, answer in self._exchanges():
                if wrong := step.check(answer):
                    return Verdict("failed", f"step {number}: {wrong}")
        except _OwnRefusal as refusal:
            return Verdict("server", str(refusal))
        except WireError as error:
            return Verdict("failed", f"{type(error).__name__}: {error}")
        return Verdict("passed")

    def hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _exchanges(self) -> Generator[tuple[int, Step, Answer]]:
        if self._case.pipelined and self._server.pipelining:
            wire = self._connected()
            wire.send(b"".join(self._bytes(step.call) for step in self._case.steps))
            for number, step in enumerate(self._case.steps, 1):
                yield number, step, self._read(wire, step.call)
            return
        for number, step in enumerate(self._case.steps, 1):
            yield number, step, self._exchange(step)

    def _exchange(self, step: Step) -> Answer:
        fresh = self._wire is None
        try:
            answer = self._speak(step.call)
        except ConnectionEnded as error:
            self.hang_up()
            if not fresh and not error.received:
                # A server may close an idle connection at any time (RFC 9112 section 9.5).
                return self._exchange(step)
            if self._case.server_may_refuse:
                raise _OwnRefusal("closed the connection") from error
            return _or_raise(step, error)
        if not self._server.keep_alive or answer.values("connection") == ["close"]:
            self.hang_up()
        if self._case.server_may_refuse and _is_server_s_own(answer):
            raise _OwnRefusal(f"answered {answer.status}")
        return answer

    def _speak(self, call: Call) -> Answer:
        wire = self._connected()
        if call.websocket:
            answer = self._converse(wire, call)
            self.hang_up()
            return replace(answer, denial_response=self._server.denial_response)
        with suppress(ConnectionEnded):
            # A server may answer and close before it has read the whole body.
            wire.send(self._bytes(call))
        return self._read(wire, call)

    def _connected(self) -> Wire:
        if self._wire is None:
            self._wire = Wire(self._running.host, self._running.port)
        return self._wire

    def _headers(self, call: Call) -> list[tuple[bytes, bytes]]:
        choice = f"{self._column.name};{self._case.options}"
        return [(HEADER.encode(), choice.encode()), *call.headers]

    def _bytes(self, call: Call) -> bytes:
        target = addressed(call, self._column, self._key)
        own_host = any(name.lower() == b"host" for name, _ in call.headers)
        host = None if own_host else _HOST
        return request_bytes(call.method, target, self._headers(call), call.body, host=host)

    def _read(self, wire: Wire, call: Call) -> Answer:
        incoming = wire.begin(call.method)
        if call.leave_after is None:
            return _answer(incoming.read())
        pieces = tuple(_some(incoming, call.leave_after))
        wire.abort()
        self._wire = None
        return Answer(incoming.status, tuple(incoming.headers), b"".join(pieces), pieces)

    def _converse(self, wire: Wire, call: Call) -> Answer:
        headers = [pair for pair in self._headers(call) if pair[0].lower() != b"host"]
        host = next((value for name, value in call.headers if name.lower() == b"host"), _HOST)
        target = addressed(call, self._column, self._key)
        handshake = handshake_bytes(target, headers, host=host)
        if call.leave_after == 0:
            wire.send(handshake)
            return _NOTHING
        try:
            socket = wire.upgrade(handshake)
        except WebSocketRefused as refused:
            response = refused.response
            return Answer(response.status, tuple(response.headers), response.body)
        first = socket.receive_text()
        socket.send_text("again")
        messages = tuple(text.encode() + b"\n" for text in (first, socket.receive_text()))
        socket.close()
        return Answer(101, (), b"".join(messages), messages)


def _answer(response: Response) -> Answer:
    answer = Answer(response.status, tuple(response.headers), response.body, response.chunks)
    if answer.values(RAISED):
        return replace(answer, raised=response.body.decode())
    return answer


def _some(incoming: Incoming, number: int) -> Generator[bytes]:
    """So many chunks of a body, or fewer if it breaks off."""
    with suppress(WireError):
        yield from itertools.islice(incoming.chunks(), number)


def _or_raise(step: Step, error: WireError) -> Answer:
    """An empty answer if the step accepts that; otherwise raise the error."""
    if step.check(_NOTHING) is not None:
        raise error
    return _NOTHING


def _is_server_s_own(answer: Answer) -> bool:
    """Whether the server itself gave this answer: the outer layer adds a header to every app's."""
    return answer.status in _OWN_REFUSALS and not answer.values("x-outside")
