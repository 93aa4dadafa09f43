"""The conformance app on FastAPI."""

from inspect import iscoroutinefunction
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from tests.conformance.columns.starlette import HANDLERS, OFFERS, socket

from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.testing.conformance import SOCKETS, Column, Inside, Outside, routes, whoami


def endpoint(route):
    def view(request: Request):  # FastAPI runs it in a thread
        found = route.answer(**request.path_params)
        return StreamingResponse(found) if route.streams else found

    async def async_view(request: Request, tasks: BackgroundTasks):
        if route.after:
            tasks.add_task(route.after, **request.path_params)
        found = await route.arun(request.path_params, request.body)
        return StreamingResponse(found) if route.streams else found

    return async_view if route.reads or iscoroutinefunction(route.answer) else view


def anything(caller: Annotated[dict[str, Any], Depends(whoami)]):
    """Who the caller is, by a dependency that FastAPI runs in another thread than the view."""
    return caller if caller == whoami() else {"caller": "not the dependency's"}


def abort_401():
    raise HTTPException(401)


def build(options):
    app = FastAPI(exception_handlers=HANDLERS, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Inside)
    app.add_middleware(FastAPIPassthroughAuthMiddleware, **options)
    app.add_middleware(Outside)
    app.add_api_route("/abort-401", abort_401)
    for path, answer in SOCKETS.items():
        app.add_api_websocket_route(path, socket(answer))
    for route in routes("asgi", OFFERS):
        path = route.path.format(key="{key}", rest="{rest:path}")
        view = anything if route.path == "/{rest}" else endpoint(route)
        app.add_api_route(path, view, methods=route.methods, response_model=None)
    return app


COLUMN = Column("FastAPI", "asgi", build, OFFERS)
