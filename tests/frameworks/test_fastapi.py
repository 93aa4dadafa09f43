"""The FastAPI middleware: a drop-in for the one of the Flyte SDK."""

import inspect

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.requests import HTTPConnection
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from tests.frameworks.calling import caller

from passthrough_auth.core import (
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
)
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware

ALICE = {"Authorization": "Bearer alice"}


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


def test_the_extractors_are_there_as_static_methods():
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

    client = TestClient(app)

    assert client.get("/health").json() == "public"
    assert client.get("/openapi.json").status_code == 200
    assert client.get("/me", headers={"x-token": "t"}).json() == "Bearer t"


def test_a_request_without_credentials_gets_the_sdk_s_answer():
    answer = TestClient(app_with()).get("/me")

    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authentication credentials required"}
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_extractor_may_look_at_starlette_s_own_request():
    natives = []

    def extract_token(request):
        natives.append(request.native)
        return "x-token", request.native.query_params["token"]

    client = TestClient(app_with(header_extractors=[extract_token]))
    answer = client.get("/", params={"token": "t"})

    assert isinstance(natives[0], HTTPConnection)
    assert answer.status_code == 404


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

    answer = TestClient(app).get("/me", headers=ALICE)

    assert answer.text == "Bearer alice"
    assert seen == ["Bearer alice"] * 3


def test_a_websocket_is_served_as_its_caller_or_refused():
    app = app_with()

    @app.websocket("/ws")
    async def ws(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(caller())
        await websocket.close()

    client = TestClient(app)

    with client.websocket_connect("/ws", headers=ALICE) as session:
        assert session.receive_text() == "Bearer alice"
    with pytest.raises(WebSocketDenialResponse) as caught, client.websocket_connect("/ws"):
        pytest.fail("the handshake must be refused")
    assert caught.value.status_code == 401
