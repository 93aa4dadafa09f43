"""An ASGI application that does nothing, and a FastAPI one, behind one middleware each."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from functools import partial
from string import ascii_letters, digits
from typing import Any

from fastapi import FastAPI
from starlette_context.middleware import RawContextMiddleware
from starlette_context.plugins import Plugin

from benchmarks import sample
from benchmarks.contest import Batch
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Layer = Callable[[App], App]
Found = list[tuple[str, str]]

PUBLIC = frozenset({"/health"})


class NoOp:
    """A middleware that does nothing: what being one costs."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class HandWritten:
    """The floor: the least that carries the caller along. It checks nothing and refuses nobody."""

    caller: ContextVar[dict[str, str]] = ContextVar("caller")

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        caller: dict[str, str] = {}
        for name, value in scope["headers"]:
            if name in (b"authorization", b"cookie"):
                caller[name.decode("latin-1")] = value.decode("latin-1")
        token = self.caller.set(caller)
        try:
            await self.app(scope, receive, send)
        finally:
            self.caller.reset(token)


class Checked:
    """Hand-written too, with the checks of this library in one flat function.

    What the checks alone cost, without objects, errors, options or frameworks in between: a value
    holds allowed characters only, none of the headers repeats, the path isn't public, nothing of
    the caller is left when the request has ended, and it is known whether the answer has begun.
    """

    caller: ContextVar[Found | None] = ContextVar("checked", default=None)

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in PUBLIC:
            await self.app(scope, receive, send)
            return
        found = checked(scope)
        started = False

        def sending(message: Message) -> Awaitable[None]:
            nonlocal started
            started = True
            return send(message)

        token = self.caller.set(found)
        try:
            await self.app(scope, receive, sending)
        finally:
            self.caller.reset(token)
            found.clear()


class Whole:
    """The same in one flat layer that guarantees what this library guarantees, without its design.

    In addition to the checks: the server's send and receive run without a caller, it is known
    whether the answer has begun or the peer has left, and the caller can be ended from elsewhere.
    """

    caller: ContextVar[Found | None] = ContextVar("whole", default=None)

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in PUBLIC:
            await self.app(scope, receive, send)
            return
        found, caller = checked(scope), self.caller
        started = connected = gone = False

        async def receiving() -> Message:
            nonlocal connected, gone
            own = caller.set(None)
            try:
                message = await receive()
            finally:
                caller.reset(own)
            connected, gone = True, message["type"] == "websocket.disconnect"
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            own = caller.set(None)
            try:
                await send(message)
            finally:
                caller.reset(own)

        try:
            token = caller.set(found)
            try:
                await self.app(scope, receiving, sending)
            finally:
                caller.reset(token)
        except Exception as error:
            if started or gone:
                raise
            raise NotImplementedError(connected) from error  # a refusal would be the answer
        finally:
            found.clear()


def checked(scope: Scope) -> Found:
    """What one would forward of this request. Any other kind of request is not implemented."""
    lines = dict(scope["headers"])
    if len(lines) != len(scope["headers"]):
        raise NotImplementedError
    found: Found = []
    line = lines.get(b"authorization")
    if line is not None:
        value = line.decode("latin-1").strip(" \t")
        scheme, _, credential = value.partition(" ")
        name, rest = scheme.encode(), credential.lstrip(" ").encode()
        if not name or not rest or len(value) > 8190:
            raise NotImplementedError
        if name.translate(_TOKEN) != name or rest.translate(_VISIBLE) != rest:
            raise NotImplementedError
        found.append(("authorization", value))
    line = lines.get(b"cookie")
    if line is not None:
        value = line.decode("latin-1").strip(" \t")
        text = value.encode()
        if text.translate(_VISIBLE_AND_SPACE) != text or not _COOKIE.search(value):
            raise NotImplementedError
        found.append(("cookie", value))
    if not found or scope["method"] != "GET":
        raise NotImplementedError
    return found


def _table(allowed: bytes) -> bytes:
    return bytes(code if code in allowed else code ^ 0x80 for code in range(256))


_VISIBLE = _table(bytes(range(0x21, 0x7F)).replace(b",", b""))
_VISIBLE_AND_SPACE = _table(bytes(range(0x20, 0x7F)))
_TOKEN = _table(f"!#$%&'*+-.^_`|~{digits}{ascii_letters}".encode())
_COOKIE = re.compile(r"(?:\A|;)[ \t]*[^=; \t][^=;]*=")


class AuthorizationPlugin(Plugin):
    """How starlette-context is told of a header."""

    key = "Authorization"


class CookiePlugin(Plugin):
    """The same for cookies."""

    key = "Cookie"


LAYERS: Mapping[str, Layer] = {
    "no middleware": lambda app: app,
    "no-op": NoOp,
    "hand-written floor": HandWritten,
    "hand-written, checked": Checked,
    "hand-written, whole": Whole,
    "starlette-context": partial(
        RawContextMiddleware, plugins=(AuthorizationPlugin(), CookiePlugin())
    ),
    "passthrough-auth": partial(PassthroughAuthMiddleware, excluded_paths=PUBLIC),
}


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that does nothing but answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def fastapi() -> FastAPI:
    """A FastAPI application with one route, no documentation pages and no middleware."""
    app = FastAPI(openapi_url=None)

    @app.get(sample.PATH)
    async def items() -> dict[str, str]:
        return {"status": "ok"}

    return app


APPS: Mapping[str, Callable[[], App]] = {"ASGI": lambda: plain, "FastAPI": fastapi}


def subjects(layers: Mapping[str, Layer] = LAYERS) -> dict[str, Batch]:
    """Every application behind every layer."""
    return {
        f"{kind}: {name}": serving(behind(layer, make()))
        for kind, make in APPS.items()
        for name, layer in layers.items()
    }


def serving(
    app: App, fields: Sequence[sample.Header] = sample.HEADERS, path: str = sample.PATH
) -> Batch:
    """Has the application answer the sample request, again and again, in one task."""
    request = sample.scope(fields, path)

    async def repeat(count: int) -> None:
        for _ in range(count):
            await app(dict(request), receive, send)

    return lambda count: run(repeat(count))


async def receive() -> Message:
    """What the server has for an application that reads on: the end of an empty body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    """Takes the answer."""


def behind(layer: Layer, app: App) -> App:
    """The application with the layer before it."""
    if isinstance(app, FastAPI):
        # Where users put it: between the handlers of server errors and of exceptions.
        app.add_middleware(layer)
        return app
    return layer(app)


_loop: list[asyncio.AbstractEventLoop] = []


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run it in the event loop of this process."""
    if not _loop:
        _loop.append(asyncio.new_event_loop())
    _loop[0].run_until_complete(work)
