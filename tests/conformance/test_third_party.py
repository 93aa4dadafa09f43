"""A framework that this project has no adapter for: its column is all it takes.

Quart serves ASGI, so the ASGI middleware fits; only the conformance app had to be written.
"""

import pytest
from quart import Quart, Response, request

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing.conformance import Column, handlers, run
from passthrough_auth.testing.conformance.columns.starlette import METHODS, Inside, Outside


def build(options):  # noqa: C901 - a route for each thing the app does
    app = Quart("conformance")
    # Errors that the app doesn't handle reach the layers around it, as in Starlette.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(handlers.Deliberate, lambda error: (handlers.whoami(), 418))

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

    @app.get("/raise")
    async def fail():
        handlers.fail()

    @app.get("/crash")
    async def crash():
        handlers.crash()

    @app.get("/upstream-refuses")
    async def upstream_refuses():
        handlers.upstream_refuses()

    @app.get("/upstream-denies")
    async def upstream_denies():
        handlers.upstream_denies()

    @app.get("/abort-401")
    async def abort_401():
        return {"handled": 401}

    @app.get("/threads")
    async def threads():
        return handlers.threads()

    @app.get("/athreads")
    async def athreads():
        return await handlers.athreads()

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

    @app.get("/recorded/<key>")
    async def recorded(key):
        return await handlers.arecorded(key)

    return Outside(PassthroughAuthMiddleware(Inside(app), **options))


COLUMN = Column("Quart", "asgi", build, frozenset({"async"}))


@pytest.mark.parametrize("case", COLUMN.cases(), ids=str)
def test_conformance(case):
    assert run(COLUMN, case) is None, case.why
