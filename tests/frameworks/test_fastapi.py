"""The FastAPI middleware: a drop-in for the one of the Flyte SDK."""

import asyncio
import inspect
from contextlib import suppress

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.requests import HTTPConnection
from fastapi.responses import StreamingResponse
from tests.frameworks.asgi_server import ALICE, ask, body_of, caller, http_scope, websocket_scope

from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    ConfigurationError,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
)
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware


def get(app, path, *headers, **more):
    """Status, headers and body of the app's response."""
    sent = ask(app, http_scope(path, *headers, **more))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, body_of(sent)


def app_with(**options):
    app = FastAPI()
    app.add_middleware(FastAPIPassthroughAuthMiddleware, **options)
    return app


def test_the_first_parameters_are_those_of_the_sdk_s_middleware():
    parameters = list(inspect.signature(FastAPIPassthroughAuthMiddleware).parameters.values())

    assert [parameter.name for parameter in parameters[:3]] == [
        "app",
        "header_extractors",
        "excluded_paths",
    ]
    assert {parameter.default for parameter in parameters[1:3]} == {None}


def test_the_extractors_are_static_methods_too():
    middleware = FastAPIPassthroughAuthMiddleware

    assert middleware.extract_authorization_header is extract_authorization_header
    assert middleware.extract_cookie_header is extract_cookie_header
    assert middleware.extract_custom_header is extract_custom_header


def test_code_written_for_the_sdk_s_middleware_runs():
    app = app_with(
        header_extractors=[
            FastAPIPassthroughAuthMiddleware.extract_custom_header("x-flyte-token"),
            lambda request: ("authorization", f"Bearer {request.headers.get('X-Token')}"),
        ],
        excluded_paths={"/health", "/docs", "/openapi.json"},
    )

    @app.get("/health")
    def health():
        return caller()

    @app.get("/me")
    async def me():
        return caller()

    assert get(app, "/health")[2] == b'"public"'
    assert get(app, "/openapi.json")[0] == 200
    assert get(app, "/me", ("x-token", "t"))[2] == b'"Bearer t"'


def test_a_request_without_credentials_gets_the_sdk_s_answer():
    status, headers, body = get(app_with(), "/me")

    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert body == b'{"detail": "Authentication credentials required"}'


def test_an_extractor_may_use_starlette_s_own_request():
    natives = []

    def extract_token(request):
        natives.append(request.native)
        return "x-token", request.native.query_params["token"]

    app = app_with(header_extractors=[extract_token])

    assert get(app, "/", query_string=b"token=t")[0] == 404
    assert isinstance(natives[0], HTTPConnection)


def test_dependencies_views_streams_and_background_tasks_run_for_the_caller():
    app, seen = app_with(), []

    def dependency():
        seen.append(caller())
        yield
        seen.append(caller())

    def pieces():
        yield caller()

    @app.get("/me")
    def me(background: BackgroundTasks, _: None = Depends(dependency)):
        background.add_task(lambda: seen.append(caller()))
        return StreamingResponse(pieces(), background=background)

    assert get(app, "/me", ALICE)[2] == b"Bearer alice"
    assert seen == ["Bearer alice"] * 3


def test_a_websocket_is_served_as_its_caller_or_refused():
    app = app_with()

    @app.websocket("/ws")
    async def ws(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(caller())
        await websocket.close()

    extensions = {"websocket.http.response": {}}

    assert ask(app, websocket_scope("/ws", ALICE))[1]["text"] == "Bearer alice"
    assert ask(app, websocket_scope("/ws", extensions=extensions))[0]["status"] == 401
    assert ask(app, websocket_scope("/ws"))[0]["type"] == "websocket.close"


@pytest.mark.parametrize(("error", "status"), [(CallerUnauthenticated, 401), (CallerDenied, 403)])
def test_an_upstream_refusal_in_an_app_mounted_below_needs_the_middleware_there_too(error, status):
    """A mounted app answers its unhandled errors itself, before the outer middleware sees them."""

    def answer(below):
        app = app_with(excluded_paths={"/below/health"})
        app.mount("/below", below)

        @below.get("/me")
        def me():
            raise error

        @below.get("/health")
        def health():
            return caller()

        with suppress(error):
            assert get(app, "/below/me")[0] == 401
            assert get(app, "/below/health")[2] == b'"public"'
            return get(app, "/below/me", ALICE)[0]

    assert answer(FastAPI()) is None  # it raised: a server answers 500
    assert answer(app_with(excluded_paths={"/health"})) == status


@pytest.mark.parametrize(
    ("options", "error", "advice"),
    [
        ({"excluded_paths": "/health"}, ConfigurationError, r"write \{'/health'\}"),
        ({"exclude_paths": {"/health"}}, ConfigurationError, "did you mean 'excluded_paths'"),
    ],
)
def test_a_wrong_option_fails_the_startup_and_every_request(options, error, advice):
    """Servers take an exception in lifespan for an app without lifespan, and start."""
    app, sent = app_with(**options), []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with pytest.raises(error, match=advice) as raised:
        asyncio.run(app({"type": "lifespan"}, receive, send))

    assert sent == [{"type": "lifespan.startup.failed", "message": str(raised.value)}]
    for _ in range(2):
        with pytest.raises(error, match=advice):
            ask(app, http_scope("/health"))


def test_a_wrong_option_takes_no_more_memory_with_each_request():
    """The same error is raised each time, and its traceback would keep the frames of them all."""
    middleware = FastAPIPassthroughAuthMiddleware(FastAPI(), excluded_paths="/health")

    for _ in range(1000):
        with pytest.raises(ConfigurationError) as raised:
            ask(middleware, http_scope("/health"))

    assert len(raised.traceback) < 10
