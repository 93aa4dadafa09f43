"""The layers around the conformance app, as plain ASGI and WSGI.

A column puts our middleware between `Outside` and `Inside`. Both take only the app as argument, so
they are added like any middleware. The suite itself adds the neighbour and the prefix.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from . import handlers
from .model import Interface

PREFIX = "/mounted"
NEIGHBOUR = "/neighbour"
_HINTS = "http.response.early_hint"


class Outside:
    """A layer outside ours. It adds a header to every answer, and fails after /teardown-crash."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, _adding(send, lambda: [(b"x-outside", b"yes")]))
        if scope["type"] == "http" and scope["path"].endswith("/teardown-crash"):
            handlers.crash()


class Inside:
    """A layer inside ours. It adds a header to each answer that says who the caller is.

    It also does three things that no framework offers: it answers a scope of an unknown type, sends
    early hints, and fails in a WebSocket after its client has left.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "conformance":
            await send({"type": "conformance.seen", **handlers.whoami()})
            return
        if scope["type"] == "websocket" and scope["path"].endswith("/ws-left"):
            while (await receive())["type"] != "websocket.disconnect":
                pass
            handlers.upstream_refuses()
        if _HINTS in scope.get("extensions", {}) and scope["path"].endswith("/early-hints"):
            await send({"type": _HINTS, "links": [b"</style.css>; rel=preload"]})
        before = handlers.saw()

        def notes() -> list[tuple[bytes, bytes]]:
            seen = before if before == handlers.saw() else "changed"
            return [(b"x-handler", b"yes"), (b"x-middleware-saw", seen.encode())]

        await self.app(scope, receive, _adding(send, notes))


def _adding(send: Any, headers: Callable[[], list[tuple[bytes, bytes]]]) -> Any:
    async def adding(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers()]
        await send(message)

    return adding


class WsgiOutside:
    """The same as `Outside`, for WSGI."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: Any, *rest: Any) -> Any:
            return start_response(status, [*headers, ("x-outside", "yes")], *rest)

        body: Iterable[bytes] = self.app(environ, start)
        if environ["PATH_INFO"] == "/teardown-crash":
            handlers.crash()
        return body


class WsgiInside:
    """The same as `Inside`, for WSGI."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        before = handlers.saw()

        def start(status: str, headers: Any, *rest: Any) -> Any:
            seen = before if before == handlers.saw() else "changed"
            noted = [("x-handler", "yes"), ("x-middleware-saw", seen)]
            return start_response(status, [*headers, *noted], *rest)

        body: Iterable[bytes] = self.app(environ, start)
        return body


def surrounded(app: Any, interface: Interface, *, mounted: bool) -> Any:
    """The app, beside a neighbour outside our middleware. Both are below `PREFIX` if `mounted`."""
    if interface == "wsgi":
        whole = _beside_neighbour_wsgi(app)
        return _mounted_wsgi(whole) if mounted else whole
    whole = _beside_neighbour_asgi(app)
    return _mounted_asgi(whole) if mounted else whole


def _beside_neighbour_asgi(app: Any) -> Any:
    async def both(scope: Any, receive: Any, send: Any) -> None:
        if not (scope["type"] == "http" and scope["path"].endswith(NEIGHBOUR)):
            await app(scope, receive, send)
            return
        answer = json.dumps(handlers.bound()).encode()
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return both


def _beside_neighbour_wsgi(app: Any) -> Any:
    def both(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != NEIGHBOUR:
            return app(environ, start_response)
        answer = json.dumps(handlers.bound()).encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    return both


def _mounted_asgi(app: Any) -> Any:
    """Mount an app as frameworks do: `root_path` gets the prefix, and `path` keeps it."""

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "root_path": scope.get("root_path", "") + PREFIX}
        await app(scope, receive, send)

    return mounted


def _mounted_wsgi(app: Any) -> Any:
    """Mount an app as in PEP 3333: the prefix moves from PATH_INFO to SCRIPT_NAME."""

    def mounted(environ: Any, start_response: Any) -> Any:
        script, path = environ.get("SCRIPT_NAME", "") + PREFIX, environ["PATH_INFO"]
        return app(
            {**environ, "SCRIPT_NAME": script, "PATH_INFO": path.removeprefix(PREFIX)},
            start_response,
        )

    return mounted
