"""Litestar, for which this project has no adapter: the ASGI middleware and a column are enough."""

import pytest
from litestar import Litestar, Request, Response, WebSocket, route, websocket
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.response import Stream

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing import conformance as suite

OFFERS = frozenset({"async", "async-stream", "raw-asgi", "sync-stream", "websocket"})
HANDLERS = {
    suite.Deliberate: lambda request, error: Response(suite.whoami(), status_code=418),
    401: lambda request, error: Response({"handled": 401}, status_code=200),
}


async def unhandled(error, scope):
    """Raise errors that the app doesn't handle to the layers around it."""
    if not isinstance(error, (HTTPException, suite.Deliberate)):
        raise error


@route("/abort-401", http_method=["GET"])
async def abort_401() -> None:
    raise NotAuthorizedException


def view(row):
    @route(row.path.format(key="{key:str}", rest="{rest:path}"), http_method=row.methods)
    async def answer(request: Request) -> Response:
        found = await row.arun(request.path_params, request.body)
        return Stream(found) if row.streams else Response(found, status_code=200)

    return answer


def socket(path, answer):
    @websocket(path)
    async def handler(socket: WebSocket) -> None:
        await answer(socket.accept, socket.send_text, socket.receive_text)

    return handler


def build(options):
    found = [abort_401, *map(view, suite.routes("asgi", OFFERS))]
    found += [socket(path, answer) for path, answer in suite.SOCKETS.items()]
    app = Litestar(found, exception_handlers=HANDLERS, after_exception=[unhandled])
    return suite.Outside(PassthroughAuthMiddleware(suite.Inside(app), **options))


COLUMN = suite.Column("Litestar", "asgi", build, OFFERS)


@pytest.mark.parametrize("cell", suite.cells(COLUMN), ids=str)
def test_conformance(cell):
    assert suite.run(*cell) is None, cell.case.why
