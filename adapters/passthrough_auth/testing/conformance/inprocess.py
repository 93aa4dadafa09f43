"""Runs cases without a socket, through the raw ASGI and WSGI interfaces.

All steps of a case run in one context, as on a server that leaks the context of one request into
the next. After each step, and between the pieces of a body, there must be no caller in it.
"""

import asyncio
import io
import itertools
import json
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote, unquote_to_bytes

from passthrough_auth.core.caller import current_scope

from .column import Column
from .handlers import listen
from .layers import PREFIX
from .model import Answer, Call, Case, HeaderLines, error_line

T = TypeVar("T")

_HOST: HeaderLines = ((b"Host", b"app.example.com"),)
_PIECE = 65536
_MESSAGES = 2  # of a WebSocket: the greeting, and the answer to our own
_WAIT = 10.0  # seconds for one request
_keys = itertools.count()


class Leak(AssertionError):
    """A caller was visible outside of a request."""


def run(column: Column, case: Case) -> str | None:
    """Run a case against a column. Return the first complaint, or None.

    On ASGI it runs twice, as on two kinds of servers. The first keeps repeated headers apart, has
    extensions such as that for refusing a WebSocket with a response, and makes `send` raise once
    the client has left. The second joins header lines, has no extensions, and cancels the request
    of a client that has left.
    """
    serve = _asgi_case if column.interface == "asgi" else _wsgi_case
    restore_logging = listen()
    try:
        for rich in (True, False) if column.interface == "asgi" else (False,):
            key = f"in-process-{next(_keys)}"
            wrong = copy_context().run(serve, column, case, key, rich)
            if wrong is not None:
                return wrong
    finally:
        restore_logging()
    return None


def addressed(call: Call, column: Column, key: str) -> bytes:
    """The target of a call for this column, with this key for its notes."""
    target = call.target.replace(b"%(key)s", key.encode())
    return PREFIX.encode() + target if column.mounted else target


def _expect_no_scope() -> None:
    if current_scope() is not None:
        raise Leak(f"the adapter left the caller in the server's context: {current_scope()!r}")


def _asgi_case(column: Column, case: Case, key: str, rich: bool) -> str | None:
    context = copy_context()

    async def steps() -> str | None:
        for number, step in enumerate(case.steps, 1):
            exchange = _AsgiExchange(step.call, addressed(step.call, column, key), rich)
            serving = exchange.serve(partial(column.app, case.options))
            # In the context of all steps, so that the next step finds what this one leaves there.
            exchange.task = asyncio.create_task(serving, context=context)
            answer = await asyncio.wait_for(exchange.answer(), _WAIT)
            _expect_no_scope()
            if wrong := step.check(answer):
                return f"step {number}: {wrong}"
        return None

    with asyncio.Runner() as runner:
        return runner.run(steps(), context=context)


class _AsgiExchange:
    """One request to an ASGI app, served in a task of its own, and the answer to it."""

    task: asyncio.Task[None]

    def __init__(self, call: Call, target: bytes, rich: bool) -> None:
        self.call = call
        self.rich = rich
        self.scope = _scope(call, target, rich)
        self.left = call.leave_after == 0
        self.raised = ""
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.pieces: list[bytes] = []
        self._incoming = self._messages()
        self._accepted = asyncio.Event()
        self._answered = asyncio.Event()

    async def serve(self, build: Callable[[], Any]) -> None:
        try:
            await build()(self.scope, self.receive, self.send)
        except Exception as error:
            # A server answers 500 for an app that raises, unless a response has begun.
            self.status = self.status or (0 if self.left else 500)
            self.raised = error_line(error)

    async def answer(self) -> Answer:
        await asyncio.wait([self.task])
        if not (self.task.cancelled() and self.left):
            self.task.result()
        return Answer(
            self.status,
            self.headers,
            b"".join(self.pieces),
            tuple(self.pieces),
            denial_response=self.call.websocket and self.rich,
            raised=self.raised,
        )

    async def receive(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        message = next(self._incoming, None)
        if message is not None and message["type"] == "websocket.receive":
            await self._accepted.wait()
        if message is None or message["type"].endswith(".disconnect"):
            await self._answered.wait()
        return message or {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if self.left:
            self.status = self.status or message.get("status", 403)
            await self._say_that_the_client_left()
        kind = message["type"]
        if kind.endswith("response.start"):
            self.status = message["status"]
            self.headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            )
        elif kind.endswith("response.body"):
            self._take(message.get("body", b""))
            if not message.get("more_body", False):
                self._answered.set()
        elif kind == "websocket.accept":
            self.status = 101
            self._accepted.set()
        elif kind == "websocket.send":
            self._take((message.get("text") or "").encode() + b"\n")
        elif kind == "websocket.close":
            self.status = self.status or 403
            self._answered.set()
        elif not kind.startswith(("http.", "websocket.")):
            self._take(json.dumps(message).encode() + b"\n")

    async def _say_that_the_client_left(self) -> None:
        if not self.rich and self.task.cancel():
            await asyncio.sleep(0)
        raise OSError("the client has left")

    def _take(self, piece: bytes) -> None:
        if piece:
            self.pieces.append(piece)
        if self.call.websocket and len(self.pieces) == _MESSAGES:
            self._answered.set()
        if self.call.leave_after is not None and len(self.pieces) >= self.call.leave_after:
            self.left = True
            self._answered.set()

    def _messages(self) -> Iterator[dict[str, Any]]:
        if self.scope["type"] == "lifespan":
            yield {"type": "lifespan.startup"}
            yield {"type": "lifespan.shutdown"}
            return
        if self.call.websocket:
            yield {"type": "websocket.connect"}
            if self.left:
                self._answered.set()
            else:
                yield {"type": "websocket.receive", "text": "again"}
            yield {"type": "websocket.disconnect", "code": 1000}
            return
        body = self.call.body
        for start in range(0, len(body) or 1, _PIECE):
            piece = body[start : start + _PIECE]
            yield {"type": "http.request", "body": piece, "more_body": start + _PIECE < len(body)}


def _scope(call: Call, target: bytes, rich: bool) -> dict[str, Any]:
    raw_path, _, query = target.partition(b"?")
    lines = [(name.lower(), value.strip(b" \t")) for name, value in _lines(call)]
    scope: dict[str, Any] = {
        "type": "websocket" if call.websocket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws" if call.websocket else "http",
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": lines if rich else _joined(lines),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    if call.websocket:
        scope["subprotocols"] = []
        scope["extensions"] = {"websocket.http.response": {}} if rich else {}
    else:
        scope["method"] = call.method
        scope["extensions"] = {"http.response.early_hint": {}} if rich else {}
    return {**scope, **dict(call.scope)}


def _lines(call: Call) -> HeaderLines:
    lines = call.headers
    if not any(name.lower() == b"host" for name, _ in lines):
        lines = _HOST + lines
    if call.body:
        lines = (*lines, (b"Content-Length", b"%d" % len(call.body)))
    return lines


def _joined(
    lines: Iterable[tuple[bytes, bytes]], cookies: bytes = b"; "
) -> list[tuple[bytes, bytes]]:
    joined: dict[bytes, bytes] = {}
    for name, value in lines:
        between = cookies if name == b"cookie" else b","
        joined[name] = joined[name] + between + value if name in joined else value
    return list(joined.items())


def _wsgi_case(column: Column, case: Case, key: str, rich: bool) -> str | None:
    build = partial(column.app, case.options)
    for number, step in enumerate(case.steps, 1):
        answer = _wsgi_exchange(build, step.call, addressed(step.call, column, key))
        _expect_no_scope()
        if wrong := step.check(answer):
            return f"step {number}: {wrong}"
    return None


def _wsgi_exchange(build: Callable[[], Any], call: Call, target: bytes) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        started[:] = [(status, list(headers))]
        return lambda data: None

    pieces: list[bytes] = []
    raised = ""
    try:
        body = build()(_environ(call, target), start_response)
        _expect_no_scope()
        with _closed_elsewhere(body) if call.leave_after else closing(_Closable(body)):
            for piece in _from_two_threads(iter(body)):
                _expect_no_scope()
                if piece:
                    pieces.append(piece)
                if call.leave_after is not None and len(pieces) >= call.leave_after:
                    break
    except Leak:
        raise
    except Exception as error:
        # A server answers 500 for an app that raises, unless a response has begun.
        if not pieces:
            started[:] = [("500 Internal Server Error", [])]
        raised = error_line(error)
    status, lines = started[0]
    headers = tuple((name, value.strip(" \t")) for name, value in lines)  # as a client parses them
    return Answer(int(status[:3]), headers, b"".join(pieces), tuple(pieces), raised=raised)


class _Closable:
    """Adds a `close` that does nothing to a body without one, for `closing`."""

    def __init__(self, body: Any) -> None:
        self.close = getattr(body, "close", lambda: None)


@contextmanager
def _closed_elsewhere(body: Any) -> Generator[None]:
    """Close the body from another thread, as some servers do for a client that has left."""
    try:
        yield
    finally:
        _in_thread(_Closable(body).close)


def _from_two_threads(body: Iterator[T]) -> Iterator[T]:
    """The pieces of a body. Another thread produces every second one."""
    end = object()
    for number in itertools.count():
        piece: Any = next(body, end) if number % 2 == 0 else _in_thread(lambda: next(body, end))
        if piece is end:
            return
        yield piece


def _in_thread(work: Callable[[], T]) -> T:
    outcome: list[T] = []
    errors: list[BaseException] = []

    def note() -> None:
        try:
            outcome.append(work())
            _expect_no_scope()
        except BaseException as error:  # raised again in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=note)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return outcome[0]


def _environ(call: Call, target: bytes) -> dict[str, Any]:
    raw_path, _, query = target.partition(b"?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    stripped = [(name.lower(), value.strip(b" \t")) for name, value in _lines(call)]
    # Most servers join the lines of Cookie like those of any other header.
    for name, value in _joined(stripped, cookies=b","):
        # Servers drop names with an underscore: an environ couldn't tell them from dashes.
        if b"_" not in name:
            key = name.decode("latin-1").upper().replace("-", "_")
            bare = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
            environ[key if bare else f"HTTP_{key}"] = value.decode("latin-1")
    return environ
