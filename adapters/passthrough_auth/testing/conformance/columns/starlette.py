"""The conformance app on Starlette. FastAPI's column shares what the two have in common."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import ContentStream, JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from passthrough_auth.core import GateOptions
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing.conformance import handlers
from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.conformance.model import Feature

ASGI_FEATURES: frozenset[Feature] = frozenset(
    {
        "async",
        "async-stream",
        "background",
        "raw-asgi",
        "sync-stream",
        "websocket",
    }
)


class Outside:
    """A layer outside ours: it decorates every answer, and fails after one path's."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def decorated(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-outside", b"yes")]
            await send(message)

        await self.app(scope, receive, decorated)
        if scope["type"] == "http" and scope["path"].endswith("/teardown-crash"):
            handlers.crash()


class Inside:
    """A layer inside ours: it notes on each answer who the caller is after the handler.

    It answers for the scope that no framework knows, and sends early hints for one path.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "conformance":
            await send({"type": "conformance.seen", **handlers.whoami()})
            return
        before = handlers.saw()
        hints = "http.response.early_hint"
        if hints in scope.get("extensions", {}) and scope["path"].endswith("/early-hints"):
            await send({"type": hints, "links": [b"</style.css>; rel=preload"]})

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen = before if before == handlers.saw() else "changed"
                noted = [(b"x-handler", b"yes"), (b"x-middleware-saw", seen.encode())]
                message["headers"] = [*message["headers"], *noted]
            await send(message)

        await self.app(scope, receive, noting)


async def handled(request: Request, error: Exception) -> Response:
    """The app's own error handler."""
    return JSONResponse(handlers.whoami(), 418)


async def handled_401(request: Request, error: Exception) -> Response:
    """An app's own 401 handler that answers 200."""
    return JSONResponse({"handled": 401})


async def websocket(websocket: WebSocket) -> None:
    """Say who the caller is, at once and for every message."""
    await websocket.accept()
    await websocket.send_text(json.dumps(handlers.whoami()))
    async for _ in websocket.iter_text():
        await websocket.send_text(json.dumps(handlers.whoami()))


async def websocket_refused(websocket: WebSocket) -> None:
    """Fail before the handshake is answered, as upstream does not accept the caller."""
    await websocket.receive()  # the handshake, which comes once
    handlers.upstream_refuses()


async def websocket_left(websocket: WebSocket) -> None:
    """The same once the client has gone."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
    handlers.upstream_refuses()


def sync(answer: Callable[..., Any]) -> Callable[[Request], Response]:
    """A sync endpoint, which Starlette runs in a thread."""

    def endpoint(request: Request) -> Response:
        return JSONResponse(answer(**request.path_params))

    return endpoint


def asynchronous(answer: Callable[..., Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """An async endpoint."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(await answer(**request.path_params))

    return endpoint


async def whoami(request: Request) -> Response:
    """Who the caller is. Also for any path that has no route of its own."""
    return JSONResponse(handlers.whoami())


async def upload(request: Request) -> Response:
    """Read a whole body."""
    return JSONResponse(handlers.uploaded(await request.body()))


def streaming(body: Callable[[], ContentStream]) -> Callable[[Request], Response]:
    """A streamed body, sync or async."""

    def endpoint(request: Request) -> Response:
        return StreamingResponse(body())

    return endpoint


async def background(request: Request) -> Response:
    """An answer, and work after it."""
    await request.body()
    task = BackgroundTask(handlers.background, request.path_params["key"])
    return JSONResponse(handlers.whoami(), background=task)


async def outlive_stream(request: Request) -> Response:
    """A streamed body, and a task that outlives it."""
    await handlers.aoutlive(request.path_params["key"])
    return StreamingResponse(handlers.astream())


async def outlive_endless(request: Request) -> Response:
    """An endless body, and a task that outlives it."""
    await handlers.aoutlive(request.path_params["key"])
    return StreamingResponse(handlers.aendless(handlers.LONG))


async def abort_401(request: Request) -> Response:
    """Raise a 401, for the app's own handler."""
    raise HTTPException(401)


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

ROUTES = [
    WebSocketRoute("/ws", websocket),
    WebSocketRoute("/public/ws", websocket),
    WebSocketRoute("/ws-refused", websocket_refused),
    WebSocketRoute("/ws-left", websocket_left),
    Route("/public/upload", upload, methods=["POST"]),
    Route("/public/stream", streaming(handlers.astream)),
    Route("/upload", upload, methods=["POST"]),
    Route("/get-only", sync(handlers.whoami)),
    Route("/abort-401", abort_401),
    Route("/raise", sync(handlers.fail)),
    Route("/crash", sync(handlers.crash)),
    Route("/upstream-refuses", sync(handlers.upstream_refuses)),
    Route("/upstream-denies", sync(handlers.upstream_denies)),
    Route("/upstream-denies-and-more", sync(handlers.upstream_denies_and_more)),
    Route("/early-hints", sync(handlers.upstream_refuses)),
    Route("/teardown-crash", whoami),
    Route("/stream", streaming(handlers.stream)),
    Route("/astream", streaming(handlers.astream)),
    Route("/large", streaming(handlers.large)),
    Route("/alarge", streaming(handlers.alarge)),
    Route("/slow", sync(handlers.slow)),
    Route("/aslow", asynchronous(handlers.aslow)),
    Route("/abandoned/{key}", sync(handlers.abandoned)),
    Route("/aabandoned/{key}", asynchronous(handlers.aabandoned)),
    Route("/endless", streaming(handlers.endless)),
    Route("/aendless", streaming(handlers.aendless)),
    Route("/stream-crash", streaming(handlers.stream_crash)),
    Route("/acting", streaming(handlers.aacting)),
    Route("/background/{key}", background, methods=["GET", "POST"]),
    Route("/recorded/{key}", asynchronous(handlers.arecorded)),
    Route("/threads", sync(handlers.threads)),
    Route("/athreads", asynchronous(handlers.athreads)),
    Route("/forked", sync(handlers.forked)),
    Route("/texts", sync(handlers.texts)),
    Route("/logged", sync(handlers.logged)),
    Route("/outlive/{key}", asynchronous(handlers.aoutlive)),
    Route("/take-along/{key}", asynchronous(handlers.atake_along)),
    Route("/outlive-stream/{key}", outlive_stream),
    Route("/outlive-endless/{key}", outlive_endless),
    Route("/{rest:path}", whoami, methods=METHODS),
]


def build(options: GateOptions) -> Any:
    """The conformance app on Starlette."""
    return Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(Outside),
            Middleware(PassthroughAuthMiddleware, **options),
            Middleware(Inside),
        ],
        exception_handlers={handlers.Deliberate: handled, 401: handled_401},
    )


COLUMN = Column("Starlette", "asgi", build, ASGI_FEATURES)
