"""A framework that this project has no adapter for: its column is all it takes.

Quart serves ASGI, so the ASGI middleware fits; only the conformance app had to be written.
"""

import asyncio
import json

import pytest
from quart import Quart, Response, abort, request, websocket

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing.conformance import Column, handlers, run, with_prefixes
from passthrough_auth.testing.conformance.columns.starlette import METHODS, Inside, Outside


def build(options):  # noqa: C901 - a route for each thing the app does
    app = Quart("conformance")
    # Errors that the app doesn't handle reach the layers around it, as in Starlette.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(handlers.Deliberate, lambda error: (handlers.whoami(), 418))
    app.register_error_handler(401, lambda error: {"handled": 401})

    @app.route("/", defaults={"rest": ""}, methods=METHODS)
    @app.route("/<path:rest>", methods=METHODS)
    async def whoami(rest):
        return handlers.whoami()

    @app.post("/upload")
    @app.post("/public/upload")
    async def upload():
        return handlers.uploaded(await request.get_data())

    @app.get("/astream")
    @app.get("/public/stream")
    async def astream():
        return Response(handlers.astream())

    @app.get("/aendless")
    async def aendless():
        return Response(handlers.aendless())

    @app.get("/acting")
    async def acting():
        return Response(handlers.aacting())

    @app.websocket("/ws")
    @app.websocket("/public/ws")
    async def greet():
        await websocket.accept()
        await websocket.send(json.dumps(handlers.whoami()))
        while await websocket.receive():
            await websocket.send(json.dumps(handlers.whoami()))

    @app.websocket("/ws-refused")
    async def websocket_refused():
        handlers.upstream_refuses()

    @app.websocket("/ws-left")
    async def websocket_left():
        try:
            await asyncio.sleep(handlers.PATIENCE)
        finally:  # Quart cancels the handler of a client that has left
            handlers.upstream_refuses()

    @app.get("/raise")
    async def fail():
        handlers.fail()

    @app.get("/crash")
    async def crash():
        handlers.crash()

    @app.get("/early-hints")
    @app.get("/upstream-refuses")
    async def upstream_refuses():
        handlers.upstream_refuses()

    @app.get("/upstream-denies")
    async def upstream_denies():
        handlers.upstream_denies()

    @app.get("/upstream-denies-and-more")
    async def upstream_denies_and_more():
        handlers.upstream_denies_and_more()

    @app.get("/abort-401")
    async def abort_401():
        abort(401)

    @app.get("/threads")
    async def threads():
        return handlers.threads()

    @app.get("/athreads")
    async def athreads():
        return await handlers.athreads()

    @app.get("/forked")
    async def forked():
        return handlers.forked()

    @app.get("/texts")
    async def texts():
        return handlers.texts()

    @app.get("/logged")
    async def logged():
        return handlers.logged()

    @app.get("/outlive/<key>")
    async def outlive(key):
        return await handlers.aoutlive(key)

    @app.get("/take-along/<key>")
    async def take_along(key):
        return await handlers.atake_along(key)

    @app.get("/outlive-stream/<key>")
    async def outlive_stream(key):
        await handlers.aoutlive(key)
        return Response(handlers.astream())

    @app.get("/outlive-endless/<key>")
    async def outlive_endless(key):
        await handlers.aoutlive(key)
        return Response(handlers.aendless(handlers.LONG))

    @app.get("/recorded/<key>")
    async def recorded(key):
        return await handlers.arecorded(key)

    return Outside(PassthroughAuthMiddleware(Inside(app), **options))


OFFERS = frozenset({"async", "async-stream", "raw-asgi", "websocket"})
COLUMN = Column("Quart", "asgi", build, OFFERS)


@pytest.mark.parametrize(
    ("column", "case"),
    [
        pytest.param(column, case, id=f"{column.name}: {case.name}")
        for column in with_prefixes([COLUMN])
        for case in column.cases()
    ],
)
def test_conformance(column, case):
    assert run(column, case) is None, case.why
