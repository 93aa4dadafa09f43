"""Tests of the suite: it fails for wrong adapters. Each mistake was seen elsewhere."""

import logging

import pytest
from tests.conformance.columns import flask, starlette

from passthrough_auth.core.caller import caller_var
from passthrough_auth.core.inbound import AsgiRequest, Gate
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.testing.conformance import Column, failures, outliving, run
from passthrough_auth.testing.conformance.cases import CASES
from passthrough_auth.testing.conformance.options import OPTIONS, WRONG
from passthrough_auth.testing.conformance.routes import ROUTES
from passthrough_auth.testing.conformance.sockets import run as run_over_socket
from passthrough_auth.testing.conformance.sockets import serving_columns
from passthrough_auth.testing.servers import server


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch):
    """A broken adapter never ends some requests. Wait for them only briefly."""
    monkeypatch.setattr(outliving, "PATIENCE", 1.0)


def failing(build):
    """The names of the cases that fail for a column with this app."""
    column = Column("broken", "asgi", build, starlette.OFFERS)
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
    """Starlette's conformance app, with another middleware instead of ours."""

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
        caller_var.set(self.gate.admit(AsgiRequest(scope)))
        await self.app(scope, receive, send)


class NeverClosing(PassthroughAuthMiddleware):
    """Leaves the caller in work that outlives the request."""

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return
        with self.gate.admit(AsgiRequest(scope)).active():
            await self.app(scope, receive, send)


class IgnoresPublicPaths(PassthroughAuthMiddleware):
    """Doesn't set the caller on a public path, so a bound client still acts as the earlier one."""

    async def __call__(self, scope, receive, send):
        if scope["type"] not in ("http", "websocket"):
            return
        admission = self.gate.admit(AsgiRequest(scope))
        if admission.absence != "public":
            caller_var.set(admission)
        await self.app(scope, receive, send)


class HttpOnly(PassthroughAuthMiddleware):
    """Lets WebSockets pass, as Starlette's BaseHTTPMiddleware does."""

    async def __call__(self, scope, receive, send):
        serve = super().__call__ if scope["type"] == "http" else self.app
        await serve(scope, receive, send)


class Normalising(PassthroughAuthMiddleware):
    """Normalises the path before it matches the rules."""

    async def __call__(self, scope, receive, send):
        scope = {**scope, "path": scope["path"].replace("\n", "").rstrip("/").lower() or "/"}
        await super().__call__(scope, receive, send)


class LastLine(PassthroughAuthMiddleware):
    """Sees only the last line of a repeated header, as with a dict of headers."""

    async def __call__(self, scope, receive, send):
        await super().__call__(
            {**scope, "headers": list(dict(scope["headers"]).items())}, receive, send
        )


@pytest.mark.parametrize(
    ("middleware", "caught_by"),
    [
        (Leaking, "nothing left after a request"),
        (IgnoresPublicPaths, "bindings: the caller"),
        (NeverClosing, "ended for what outlives the request"),
        (HttpOnly, "websocket: refused without credentials"),
        (Normalising, "protected path: letters of another case"),
        (LastLine, "malformed authorization: two lines"),
    ],
)
def test_a_broken_adapter_is_caught(middleware, caught_by):
    assert caught_by in failing(protected_by(middleware))


def answering_400(options):
    """Flask's conformance app behind a layer that turns each 401 into a 400, as servers send."""
    app = flask.COLUMNS[0].build(options)

    def layer(environ, start_response):
        def start(status, *rest):
            return start_response(status.replace("401 UNAUTHORIZED", "400 BAD REQUEST"), *rest)

        return app(environ, start)

    return layer


ANSWERING_400 = Column("answering 400", "wsgi", answering_400, flask.COLUMNS[0].offers)


def test_the_app_s_own_400_does_not_count_as_the_server_s():
    werkzeug = server("werkzeug")
    names = f"{__name__}:ANSWERING_400", f"{flask.__name__}:COLUMNS"

    def refused_by_the_server(running, column):
        return {
            case.name
            for case in column.cases()
            if case.server_may_refuse
            and run_over_socket(running, werkzeug, column, case).kind == "server"
        }

    with serving_columns(werkzeug, *names) as running:
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
    for name, options in OPTIONS.items():
        if name != "preflight":
            Gate(**options)


def test_what_fails_on_a_server_is_told_case_by_case():
    told = failures(server("werkzeug"), f"{__name__}:ANSWERING_400")
    assert "answering 400: refused: GET: step 1: status 400, not 401" in "\n".join(told)
    assert "answering 400: public path: exact: " not in "\n".join(told)


def test_every_route_says_what_it_does():
    assert [route.path for route in ROUTES if not route.answer.__doc__] == []


LIBRARY = logging.getLogger("passthrough_auth")


@pytest.fixture
def hostile_logging():
    """Logging as other tests may leave it: off, in each way there is, after what a case forbids."""
    LIBRARY.error("s3cret")
    LIBRARY.disabled = True  # as logging.config does with a logger that it wasn't told of
    LIBRARY.setLevel(logging.CRITICAL)
    logging.disable(logging.CRITICAL)
    yield logging_state()
    LIBRARY.disabled = False
    LIBRARY.setLevel(logging.NOTSET)
    logging.disable(logging.NOTSET)


def logging_state():
    handlers = [*LIBRARY.handlers]
    return LIBRARY.level, LIBRARY.disabled, handlers, logging.root.manager.disable


def test_cases_about_logs_bring_what_they_need_and_put_it_back(hostile_logging):
    cases = [
        case
        for case in starlette.COLUMN.cases()
        if b"/logged" in [s.call.target for s in case.steps]
    ]
    assert len(cases) == 2
    for case in cases:
        assert run(Column("anew", "asgi", starlette.build, starlette.OFFERS), case) is None
    assert logging_state() == hostile_logging
