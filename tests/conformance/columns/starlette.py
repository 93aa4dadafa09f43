"""The conformance app on Starlette."""

from inspect import iscoroutinefunction

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing import conformance as suite

OFFERS = frozenset({"async", "async-stream", "background", "raw-asgi", "sync-stream", "websocket"})
HANDLERS = {
    suite.Deliberate: lambda request, error: JSONResponse(suite.whoami(), 418),
    401: lambda request, error: JSONResponse({"handled": 401}),
}


def endpoint(route):
    def respond(found, parts):
        if route.streams:
            return StreamingResponse(found)
        return JSONResponse(found, background=route.after and BackgroundTask(route.after, **parts))

    def view(request):  # Starlette runs it in a thread
        return respond(route.answer(**request.path_params), request.path_params)

    async def async_view(request):
        return respond(await route.arun(request.path_params, request.body), request.path_params)

    return async_view if route.reads or iscoroutinefunction(route.answer) else view


def socket(answer):
    async def view(websocket: WebSocket):  # FastAPI looks at the annotation
        await websocket.receive()  # the handshake
        await answer(websocket.accept, websocket.send_text, websocket.receive_text)

    return view


def abort_401(request):
    raise HTTPException(401)


ROUTES = [Route("/abort-401", abort_401)]
ROUTES += [WebSocketRoute(path, socket(answer)) for path, answer in suite.SOCKETS.items()]
for each in suite.routes("asgi", OFFERS):
    path = each.path.replace("{rest}", "{rest:path}")
    ROUTES.append(Route(path, endpoint(each), methods=each.methods))


def build(options):
    ours = Middleware(PassthroughAuthMiddleware, **options)
    layers = [Middleware(suite.Outside), ours, Middleware(suite.Inside)]
    return Starlette(routes=ROUTES, middleware=layers, exception_handlers=HANDLERS)


COLUMN = suite.Column("Starlette", "asgi", build, OFFERS)
