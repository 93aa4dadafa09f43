"""Quart, for which this project has no adapter: the ASGI middleware and a column are enough."""

import pytest
from quart import Quart, Response, abort, request, websocket

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing import conformance as suite

OFFERS = frozenset({"async", "async-stream", "raw-asgi", "websocket"})


def view(route):
    async def answer(**parts):
        found = await route.arun(parts, request.get_data)
        return Response(found) if route.streams else found

    return answer


def socket(answer):
    async def handler():
        await answer(websocket.accept, websocket.send, websocket.receive)

    return handler


def build(options):
    app = Quart("conformance")
    # Raise errors that the app doesn't handle to the layers around it.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.register_error_handler(suite.Deliberate, lambda error: (suite.whoami(), 418))
    app.register_error_handler(401, lambda error: {"handled": 401})
    app.add_url_rule("/abort-401", "abort-401", lambda: abort(401))
    for path, answer in suite.SOCKETS.items():
        app.add_websocket(path, path, socket(answer))
    for route in suite.routes("asgi", OFFERS):
        path = route.path.format(key="<key>", rest="<path:rest>")
        app.add_url_rule(path, path, view(route), methods=route.methods)
    return suite.Outside(PassthroughAuthMiddleware(suite.Inside(app), **options))


COLUMN = suite.Column("Quart", "asgi", build, OFFERS)


@pytest.mark.parametrize("cell", suite.cells(COLUMN), ids=str)
def test_conformance(cell):
    assert suite.run(*cell) is None, cell.case.why
