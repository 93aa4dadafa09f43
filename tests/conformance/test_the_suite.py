"""The suite itself: it fails for adapters that are wrong, each in a way that was seen elsewhere."""

import asyncio
from contextvars import copy_context
from pathlib import Path

import pytest

from passthrough_auth.core import AsgiRequest, Gate
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing.conformance import Column, handlers, run
from passthrough_auth.testing.conformance.cases import CASES
from passthrough_auth.testing.conformance.columns import flask, starlette
from passthrough_auth.testing.conformance.columns.starlette import ASGI_FEATURES
from passthrough_auth.testing.conformance.options import OPTIONS, WRONG
from passthrough_auth.testing.conformance.serving import MORE_COLUMNS
from passthrough_auth.testing.conformance.sockets import run as run_over_socket
from passthrough_auth.testing.conformance.sockets import serving_columns
from passthrough_auth.testing.servers import server


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """What a broken adapter never ends is not waited for as long as on a server."""
    monkeypatch.setattr(handlers, "PATIENCE", 1.0)


def failing(build):
    """The names of the cases that a column with this app fails."""
    column = Column("broken", "asgi", build, ASGI_FEATURES)
    failed = set()
    for case in column.cases():
        try:
            wrong = run(column, case)
        except AssertionError as error:
            wrong = str(error)
        if wrong:
            failed.add(case.name)
    return failed


def protected_by(middleware):
    """The conformance app of Starlette with another middleware in place of ours."""

    def build(options):
        app = starlette.build(options)
        app.user_middleware = [
            type(each)(middleware, **options) if each.cls is PassthroughAuthMiddleware else each
            for each in app.user_middleware
        ]
        return app

    return build


class Leaking(PassthroughAuthMiddleware):
    """Ends the request and leaves its caller current."""

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return
        self.gate.hold(self.gate.decide(AsgiRequest(scope))).active().__enter__()
        await self.app(scope, receive, send)


class NeverClosing(PassthroughAuthMiddleware):
    """Leaves the caller with whatever outlives the request."""

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return
        with self.gate.hold(self.gate.decide(AsgiRequest(scope))).active():
            await self.app(scope, receive, send)


class NeverLeaving(PassthroughAuthMiddleware):
    """Has a context for each request, and nothing there to leave but what its bindings keep."""

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return
        context, hold = copy_context(), self.gate.hold(self.gate.decide(AsgiRequest(scope)))
        context.run(hold.active().__enter__)
        await asyncio.create_task(self.app(scope, receive, send), context=context)
        hold.close()


class HttpOnly(PassthroughAuthMiddleware):
    """Lets WebSockets pass, as Starlette's BaseHTTPMiddleware does."""

    async def __call__(self, scope, receive, send):
        serve = super().__call__ if scope["type"] == "http" else self.app
        await serve(scope, receive, send)


class Normalising(PassthroughAuthMiddleware):
    """Tidies the path before its rules see it."""

    async def __call__(self, scope, receive, send):
        scope = {**scope, "path": scope["path"].replace("\n", "").rstrip("/").lower() or "/"}
        await super().__call__(scope, receive, send)


class LastLine(PassthroughAuthMiddleware):
    """Sees one line of a repeated header, as a dict of headers does."""

    async def __call__(self, scope, receive, send):
        await super().__call__(
            {**scope, "headers": list(dict(scope["headers"]).items())}, receive, send
        )


@pytest.mark.parametrize(
    ("middleware", "caught_by"),
    [
        (Leaking, "nothing left after a request"),
        (NeverLeaving, "bindings: left after each request"),
        (NeverClosing, "ended for what outlives the request"),
        (HttpOnly, "websocket: refused without credentials"),
        (Normalising, "protected path: letters of another case"),
        (LastLine, "malformed authorization: two lines"),
    ],
)
def test_a_broken_adapter_is_caught(middleware, caught_by):
    assert caught_by in failing(protected_by(middleware))


def answering_400(options):
    """Flask's conformance app behind a layer that makes each 401 a 400, as servers' own are."""
    app = flask.COLUMNS[0].build(options)

    def layer(environ, start_response):
        def start(status, *rest):
            return start_response(status.replace("401 UNAUTHORIZED", "400 BAD REQUEST"), *rest)

        return app(environ, start)

    return layer


ANSWERING_400 = Column("answering 400", "wsgi", answering_400, flask.COLUMNS[0].offers)


def test_a_400_of_the_app_is_not_taken_for_one_of_the_server():
    werkzeug = server("werkzeug")
    env = {MORE_COLUMNS: f"{__name__}:ANSWERING_400", "PYTHONPATH": str(Path(__file__).parents[2])}

    def refused_by_the_server(running, column):
        return {
            case.name
            for case in column.cases()
            if case.server_may_refuse
            and run_over_socket(running, werkzeug, column, case).kind == "server"
        }

    with serving_columns(werkzeug, **env) as running:
        broken = refused_by_the_server(running, ANSWERING_400)
        ours = refused_by_the_server(running, flask.COLUMNS[0])
    assert broken == ours


def test_ours_in_the_same_place_passes():
    assert failing(protected_by(PassthroughAuthMiddleware)) == set()


def test_an_app_without_any_protection_is_caught():
    class Unprotected:
        def __init__(self, app, **options):
            self.app = app

        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)

    assert len(failing(protected_by(Unprotected))) > 100


def test_case_names_are_unique_and_every_case_says_why():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert all(case.why.endswith(".") and case.steps for case in CASES)


def test_every_set_of_options_is_used_and_can_be_a_gate():
    assert {case.options for case in CASES} == set(OPTIONS) | set(WRONG)
    for options in OPTIONS.values():
        Gate(**options)
