"""The routes of the conformance app, as a table that a column registers with its framework.

    for route in routes("asgi", OFFERS):
        path = route.path.format(key="<key>", rest="<path:rest>")
        app.add_route(path, view(route), methods=route.methods)

The docstring of each answer describes its route. A column must add only the WebSockets in
`SOCKETS` and the few parts that docs/adapters.md lists.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import isawaitable
from typing import Any, NamedTuple

from . import handlers as do
from . import outliving as later
from .model import Feature, Interface

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Route(NamedTuple):
    """One path, and the function that answers there.

    Attributes:
        path: `{key}` stands for one segment, `{rest}` for the rest of the path, slashes included.
            Write them in the router's own way: `path.format(key="<key>", rest="<path:rest>")`.
        answer: Called with these parts of the path as keyword arguments. It may be async. The
            column sends the returned value as JSON.
        methods: The methods of the route.
        streams: `answer` returns the pieces of a body, as an iterator or an async iterator.
        reads: `answer` also gets the whole request body, as `body`.
        after: The framework runs it after the response, with the parts of the path.
        needs: The features that a column must offer to have this route.
        interface: Only for columns of this interface.
    """

    path: str
    answer: Callable[..., Any]
    methods: tuple[str, ...] = ("GET",)
    streams: bool = False
    reads: bool = False
    after: Callable[..., object] | None = None
    needs: frozenset[Feature] = frozenset()
    interface: Interface | None = None

    async def arun(self, parts: Mapping[str, Any], read: Callable[[], Awaitable[bytes]]) -> Any:
        """The answer, for an async handler. `read` reads the request's body."""
        body = {"body": await read()} if self.reads else {}
        found = self.answer(**parts, **body)
        return await found if isawaitable(found) else found


_ASYNC: frozenset[Feature] = frozenset({"async"})
_SYNC_STREAM: frozenset[Feature] = frozenset({"sync-stream"})
_ASYNC_STREAM: frozenset[Feature] = frozenset({"async-stream"})
_BACKGROUND: frozenset[Feature] = frozenset({"background"})

ROUTES: tuple[Route, ...] = (
    # Who the caller is.
    Route("/", do.anything, METHODS),
    Route("/get-only", do.whoami),
    Route("/teardown-crash", do.whoami),  # the layer outside fails after this answer
    Route("/bound", do.bound),
    Route("/public/bound", do.bound),
    # Uploads.
    Route("/upload", do.uploaded, ("POST",), reads=True),
    Route("/public/upload", do.uploaded, ("POST",), reads=True),
    # Handlers that raise.
    Route("/raise", do.fail),
    Route("/crash", do.crash),
    Route("/upstream-refuses", do.upstream_refuses),
    Route("/early-hints", do.upstream_refuses),  # the layer inside sends hints before it
    Route("/upstream-denies", do.upstream_denies),
    Route("/upstream-denies-and-more", do.upstream_denies_and_more),
    # Handlers that take time, and that look for the caller elsewhere.
    Route("/slow", do.slow),
    Route("/aslow", do.aslow, needs=_ASYNC),
    Route("/threads", do.threads),
    Route("/athreads", do.athreads, needs=_ASYNC),
    Route("/shared-worker", do.shared_worker),
    Route("/ashared-worker", do.ashared_worker, needs=_ASYNC),
    Route("/forked", do.forked),
    Route("/texts", do.texts),
    Route("/logged", do.logged),
    # Streamed bodies.
    Route("/public/stream", do.stream, streams=True, interface="wsgi"),
    Route("/public/stream", do.astream, streams=True, interface="asgi"),
    Route("/acting", do.acting, streams=True, interface="wsgi"),
    Route("/acting", do.aacting, streams=True, interface="asgi"),
    Route("/stream", do.stream, streams=True, needs=_SYNC_STREAM),
    Route("/stream-crash", do.stream_crash, streams=True, needs=_SYNC_STREAM),
    Route("/large", do.large, streams=True, needs=_SYNC_STREAM),
    Route("/endless", do.endless, streams=True, needs=_SYNC_STREAM),
    Route("/astream", do.astream, streams=True, needs=_ASYNC_STREAM),
    Route("/alarge", do.alarge, streams=True, needs=_ASYNC_STREAM),
    Route("/aendless", do.aendless, streams=True, needs=_ASYNC_STREAM),
    # Work that goes on after the response, and the notes that it made.
    Route("/recorded/{key}", later.recorded, interface="wsgi"),
    Route("/recorded/{key}", later.arecorded, interface="asgi"),
    Route("/abandoned/{key}", later.abandoned),
    Route("/aabandoned/{key}", later.aabandoned, needs=_ASYNC),
    Route("/closing/{key}", later.closing, streams=True, interface="wsgi"),
    Route(
        "/background/{key}",
        later.begun,
        ("GET", "POST"),
        reads=True,
        after=later.background,
        needs=_BACKGROUND,
    ),
    Route("/outlive/{key}", later.outlive, interface="wsgi"),
    Route("/outlive/{key}", later.aoutlive, interface="asgi"),
    Route("/outlive-public/{key}", later.outlive, interface="wsgi"),
    Route("/outlive-public/{key}", later.aoutlive, interface="asgi"),
    Route("/outlive-crash/{key}", later.outlive_crash, interface="wsgi"),
    Route("/outlive-crash/{key}", later.aoutlive_crash, interface="asgi"),
    Route("/outlive-stream/{key}", later.outlive_stream, streams=True, interface="wsgi"),
    Route("/outlive-stream/{key}", later.aoutlive_stream, streams=True, interface="asgi"),
    Route("/outlive-endless/{key}", later.outlive_endless, streams=True, interface="wsgi"),
    Route("/outlive-endless/{key}", later.aoutlive_endless, streams=True, interface="asgi"),
    Route("/take-along/{key}", later.take_along, interface="wsgi"),
    Route("/take-along/{key}", later.atake_along, interface="asgi"),
    # Last, because some routers take the first route that matches.
    Route("/{rest}", do.anything, METHODS),
)

SOCKETS: dict[str, Callable[..., Any]] = {
    "/ws": do.greet,
    "/public/ws": do.greet,
    "/ws-refused": do.refuse,
}
"""The WebSockets by path. Each handler takes three async functions: to accept the handshake, to
send a text, and to receive one."""


def routes(interface: Interface, offers: Iterable[Feature]) -> list[Route]:
    """The routes for a column of this interface with these features."""
    return [
        route
        for route in ROUTES
        if route.needs <= frozenset(offers) and route.interface in (None, interface)
    ]
