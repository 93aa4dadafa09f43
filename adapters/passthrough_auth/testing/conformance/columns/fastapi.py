"""The conformance app on FastAPI."""

from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, StreamingResponse

from passthrough_auth.core import GateOptions
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.testing.conformance import handlers
from passthrough_auth.testing.conformance.column import Column

from .starlette import (
    ASGI_FEATURES,
    METHODS,
    Inside,
    Outside,
    handled,
    handled_401,
    websocket,
    websocket_left,
    websocket_refused,
)


def caller() -> handlers.Answer:
    """A sync dependency, which FastAPI runs in a thread of its own."""
    return handlers.whoami()


Caller = Annotated[handlers.Answer, Depends(caller)]


def build(options: GateOptions) -> Any:  # noqa: C901, PLR0915 - a route for each thing the app does
    """The conformance app on FastAPI."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Inside)
    app.add_middleware(FastAPIPassthroughAuthMiddleware, **options)
    app.add_middleware(Outside)
    app.add_exception_handler(handlers.Deliberate, handled)
    app.add_exception_handler(401, handled_401)
    app.add_api_websocket_route("/ws", websocket)
    app.add_api_websocket_route("/public/ws", websocket)
    app.add_api_websocket_route("/ws-refused", websocket_refused)
    app.add_api_websocket_route("/ws-left", websocket_left)

    @app.post("/public/upload")
    @app.post("/upload")
    async def upload(request: Request) -> handlers.Answer:
        return handlers.uploaded(await request.body())

    @app.get("/public/stream")
    @app.get("/astream")
    async def astream() -> StreamingResponse:
        return StreamingResponse(handlers.astream())

    @app.get("/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(handlers.stream())

    @app.get("/large")
    def large() -> StreamingResponse:
        return StreamingResponse(handlers.large())

    @app.get("/alarge")
    async def alarge() -> StreamingResponse:
        return StreamingResponse(handlers.alarge())

    @app.get("/slow")
    def slow() -> handlers.Answer:
        return handlers.slow()

    @app.get("/aslow")
    async def aslow() -> handlers.Answer:
        return await handlers.aslow()

    @app.get("/abandoned/{key}")
    def abandoned(key: str) -> handlers.Answer:
        return handlers.abandoned(key)

    @app.get("/aabandoned/{key}")
    async def aabandoned(key: str) -> handlers.Answer:
        return await handlers.aabandoned(key)

    @app.get("/endless")
    def endless() -> StreamingResponse:
        return StreamingResponse(handlers.endless())

    @app.get("/aendless")
    async def aendless() -> StreamingResponse:
        return StreamingResponse(handlers.aendless())

    @app.get("/stream-crash")
    def stream_crash() -> StreamingResponse:
        return StreamingResponse(handlers.stream_crash())

    @app.get("/acting")
    async def acting() -> StreamingResponse:
        return StreamingResponse(handlers.aacting())

    @app.api_route("/background/{key}", methods=["GET", "POST"])
    async def background(key: str, tasks: BackgroundTasks, request: Request) -> handlers.Answer:
        await request.body()
        tasks.add_task(handlers.background, key)
        return handlers.whoami()

    @app.get("/recorded/{key}")
    async def recorded(key: str) -> handlers.Answer:
        return await handlers.arecorded(key)

    @app.get("/outlive/{key}")
    async def outlive(key: str) -> handlers.Answer:
        return await handlers.aoutlive(key)

    @app.get("/take-along/{key}")
    async def take_along(key: str) -> handlers.Answer:
        return await handlers.atake_along(key)

    @app.get("/outlive-stream/{key}")
    async def outlive_stream(key: str) -> StreamingResponse:
        await handlers.aoutlive(key)
        return StreamingResponse(handlers.astream())

    @app.get("/outlive-endless/{key}")
    async def outlive_endless(key: str) -> StreamingResponse:
        await handlers.aoutlive(key)
        return StreamingResponse(handlers.aendless(handlers.LONG))

    @app.get("/threads")
    def threads() -> handlers.Answer:
        return handlers.threads()

    @app.get("/athreads")
    async def athreads() -> handlers.Answer:
        return await handlers.athreads()

    @app.get("/forked")
    def forked() -> handlers.Answer:
        return handlers.forked()

    @app.get("/texts")
    def texts() -> handlers.Answer:
        return handlers.texts()

    @app.get("/logged")
    def logged() -> handlers.Answer:
        return handlers.logged()

    @app.get("/raise")
    def fail() -> None:
        handlers.fail()

    @app.get("/crash")
    def crash() -> None:
        handlers.crash()

    @app.get("/early-hints")
    @app.get("/upstream-refuses")
    def upstream_refuses() -> None:
        handlers.upstream_refuses()

    @app.get("/upstream-denies")
    async def upstream_denies() -> None:
        handlers.upstream_denies()

    @app.get("/upstream-denies-and-more")
    def upstream_denies_and_more() -> None:
        handlers.upstream_denies_and_more()

    @app.get("/abort-401")
    def abort_401() -> None:
        raise HTTPException(401)

    @app.get("/get-only")
    @app.get("/teardown-crash")
    async def plain(caller: Caller) -> handlers.Answer:
        return caller

    @app.api_route("/{rest:path}", methods=METHODS)
    def whoami(rest: str, caller: Caller) -> JSONResponse:
        here = handlers.whoami()
        return JSONResponse(here if here == caller else {"caller": "not the dependency's"})

    return app


COLUMN = Column("FastAPI", "asgi", build, ASGI_FEATURES)
