"""The ASGI middleware, called as a server calls it."""

import asyncio
import contextvars

import engineio
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, Router
from tests.frameworks.asgi_server import (
    ALICE,
    BOB,
    Exchange,
    ask,
    body_of,
    caller,
    http_scope,
    websocket_scope,
)

from passthrough_auth.core import (
    CallerDenied,
    CallerUnauthenticated,
    ConfigurationError,
    Refusal,
    acting_as,
)
from passthrough_auth.core.caller import Binding, current_scope
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

REQUIRED = b'{"detail": "Authentication credentials required"}'


class Recorder:
    """An app that notes its arguments and the caller, and answers."""

    def __init__(self):
        self.calls = []

    async def __call__(self, scope, receive, send):
        self.calls.append((scope, receive, send, caller()))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": caller().encode()})


class BoundClient(Binding):
    """A client that asks for the caller."""

    def install(self):
        pass

    def acts_as(self):
        return self.credentials().headers().get("authorization", "nobody")


CLIENT = BoundClient()


def started(sent):
    """Status and headers of an answer."""
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


# --- Scopes that pass through -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lifespan", "webtransport", "no.such.thing"])
@pytest.mark.parametrize("bindings", [[], [CLIENT]])
def test_lifespan_and_unknown_scopes_pass_through_untouched(kind, bindings):
    """The app works on servers without lifespan, and on those with scopes of a later standard."""
    scope, app = {"type": kind}, Recorder()
    exchange = Exchange(scope)

    asyncio.run(exchange.run(PassthroughAuthMiddleware(app, bindings=bindings)))

    assert app.calls == [(scope, exchange.receive, exchange.send, "outside")]
    assert app.calls[0][0] is scope
    assert scope == {"type": kind}


def test_an_app_gets_the_server_s_own_arguments():
    app = Recorder()
    exchange = Exchange(http_scope("/", ALICE))
    before = dict(exchange.scope)

    asyncio.run(exchange.run(PassthroughAuthMiddleware(app, bindings=[])))

    [(scope, receive, _, caller)] = app.calls
    assert scope is exchange.scope
    assert scope == before
    assert asyncio.run(receive()) == {"type": "http.request", "body": b"", "more_body": False}
    assert caller == "Bearer alice"


@pytest.mark.parametrize(("bindings", "acts_as"), [([], "nobody"), ([CLIENT], "Bearer alice")])
def test_a_task_that_the_server_starts_in_receive_or_send_has_no_caller(bindings, acts_as):
    """Servers begin the connection's next request there, before this one has ended."""
    scope, contexts, begun = http_scope("/", ALICE), [], []

    async def app(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.append((caller(), CLIENT.acts_as()))
        begun.extend((context.run(caller), context.run(CLIENT.acts_as)) for context in contexts)

    async def receive():
        contexts.append(contextvars.copy_context())
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        contexts.append(contextvars.copy_context())

    asyncio.run(PassthroughAuthMiddleware(app, bindings=bindings)(scope, receive, send))

    assert begun == [("Bearer alice", acts_as), *2 * [("outside", "nobody")]]


def test_a_server_that_serves_requests_in_one_context_never_sees_an_earlier_caller():
    async def serve():
        app = PassthroughAuthMiddleware(Recorder(), excluded_paths=["/public"])
        bodies = []
        for scope in (http_scope("/", ALICE), http_scope("/public", ALICE), http_scope("/", BOB)):
            bodies.append(body_of(await Exchange(scope).run(app)))
            assert current_scope() is None
        return bodies

    assert asyncio.run(serve()) == [b"Bearer alice", b"public", b"Bearer bob"]


@pytest.mark.parametrize("bindings", [[], [CLIENT]])
def test_work_that_outlives_a_request_has_no_caller_for_the_reason_ended(bindings):
    kept = []

    async def app(scope, receive, send):
        kept.append(contextvars.copy_context())
        await Recorder()(scope, receive, send)

    ask(PassthroughAuthMiddleware(app, bindings=bindings), http_scope("/", ALICE))

    assert kept[0].run(caller) == "ended"


def test_a_request_that_raises_or_is_cancelled_has_ended():
    kept = []

    async def app(scope, receive, send):
        kept.append(contextvars.copy_context())
        if scope["path"] == "/raise":
            raise KeyError
        await asyncio.Future()

    async def serve():
        protected = PassthroughAuthMiddleware(app)
        with pytest.raises(KeyError):
            await Exchange(http_scope("/raise", ALICE)).run(protected)
        hanging = asyncio.create_task(Exchange(http_scope("/hang", ALICE)).run(protected))
        await asyncio.sleep(0)
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        return current_scope()

    assert asyncio.run(serve()) is None
    assert [context.run(caller) for context in kept] == ["ended", "ended"]


# --- Refusals -----------------------------------------------------------------------------------


def test_a_refusal_is_answered_without_running_the_app():
    app = Recorder()

    status, headers = started(ask(PassthroughAuthMiddleware(app), http_scope()))

    assert app.calls == []
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert body_of(ask(PassthroughAuthMiddleware(app), http_scope())) == REQUIRED


def test_a_refusal_is_sent_without_a_caller():
    """Also if the context of an earlier request leaked into this one."""
    seen = []

    async def send(message):
        seen.append(caller())

    async def serve():
        with acting_as(ALICE, bindings=[]):
            app = PassthroughAuthMiddleware(Recorder())
            await app(http_scope(), Exchange(http_scope()).receive, send)

    asyncio.run(serve())

    assert seen == ["outside", "outside"]


def test_the_answer_to_head_has_the_headers_and_no_body():
    sent = ask(PassthroughAuthMiddleware(Recorder()), http_scope(method="HEAD"))

    assert started(sent)[1]["content-length"] == str(len(REQUIRED))
    assert body_of(sent) == b""


def test_an_app_s_own_refusal_is_sent_unchanged():
    app = PassthroughAuthMiddleware(
        Recorder(), on_refusal=lambda request, refusal: Refusal(303, (("Location", "/in"),), b"")
    )

    assert started(ask(app, http_scope())) == (303, {"location": "/in", "content-length": "0"})


@pytest.mark.parametrize("bindings", [[], [CLIENT]])
def test_a_websocket_is_refused_with_a_response_if_the_server_can(bindings):
    app = Recorder()
    scope = websocket_scope(extensions={"websocket.http.response": {}})

    sent = ask(PassthroughAuthMiddleware(app, bindings=bindings), scope)

    assert app.calls == []
    assert [message["type"] for message in sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert started(sent)[0] == 401
    assert body_of(sent) == REQUIRED


@pytest.mark.parametrize("more", [{}, {"extensions": None}, {"extensions": {"tls": {}}}])
def test_a_websocket_is_closed_before_accept_if_the_server_can_t(more):
    app = Recorder()

    sent = ask(PassthroughAuthMiddleware(app), websocket_scope(**more))

    assert app.calls == []
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


def test_a_websocket_is_served_as_its_caller():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": caller()})

    sent = ask(PassthroughAuthMiddleware(app), websocket_scope("/", ALICE))

    assert sent[1]["text"] == "Bearer alice"


# --- Upstream refusals --------------------------------------------------------------------------


def caused_by(error):
    inner = ValueError("creating the run failed")
    inner.__cause__ = error
    return inner


def failing_with(error, *messages, receives=False, bindings=(CLIENT,)):
    """An app that sends these messages and then raises an error with that one among its causes."""

    async def app(scope, receive, send):
        if receives:
            await receive()
        for message in messages:
            await send(message)
        raise RuntimeError("the job could not be started") from caused_by(error)

    return PassthroughAuthMiddleware(app, bindings=bindings)


@pytest.mark.parametrize(("error", "status"), [(CallerUnauthenticated, 401), (CallerDenied, 403)])
@pytest.mark.parametrize("receives", [False, True])
def test_an_upstream_refusal_deep_in_the_causes_becomes_the_answer(error, status, receives):
    sent = ask(failing_with(error("no"), receives=receives), http_scope("/", ALICE))

    assert started(sent)[0] == status
    assert started(sent)[1]["cache-control"] == "no-store"


def test_an_upstream_refusal_becomes_the_answer_without_bindings():
    """An app's own client may raise it, too. The other frameworks do the same."""
    sent = ask(failing_with(CallerDenied("no"), bindings=()), http_scope("/", ALICE))

    assert started(sent)[0] == 403


def test_after_the_response_has_started_the_error_passes():
    start = {"type": "http.response.start", "status": 200, "headers": []}
    exchange = Exchange(http_scope("/", ALICE))

    with pytest.raises(RuntimeError, match="could not be started"):
        asyncio.run(exchange.run(failing_with(CallerDenied("no"), start)))
    assert exchange.sent == [start]


def test_early_hints_don_t_start_the_response():
    hint = {"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]}
    sent = ask(failing_with(CallerDenied("no"), hint), http_scope("/", ALICE))

    assert sent[0] == hint
    assert started(sent[1:])[0] == 403


def test_any_other_error_passes():
    with pytest.raises(RuntimeError, match="could not be started"):
        ask(failing_with(KeyError("no")), http_scope("/", ALICE))


@pytest.mark.parametrize("receives", [False, True])
def test_a_websocket_not_yet_accepted_is_refused_for_upstream(receives):
    """Also if the app has already received the connect message: there is only one."""
    sent = ask(failing_with(CallerDenied("no"), receives=receives), websocket_scope("/", ALICE))

    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


def test_a_websocket_whose_client_has_left_is_not_answered():
    messages = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}])
    sent = []

    async def receive():
        return next(messages)  # there are only two

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        await receive()
        await receive()
        raise CallerDenied("no")

    with pytest.raises(CallerDenied):
        asyncio.run(PassthroughAuthMiddleware(app)(websocket_scope("/", ALICE), receive, send))
    assert sent == []


# --- Among Starlette's own layers ---------------------------------------------------------------


def starlette_app(*middleware, **options):
    async def me(request):
        later = BackgroundTask(lambda: seen.append(caller()))
        return PlainTextResponse(caller(), background=later)

    async def abort(request):
        raise HTTPException(401)

    async def make_it_a_200(request, error):
        return JSONResponse({"fine": True}, 200)

    seen = []
    app = Starlette(
        routes=[Route("/me", me), Route("/abort", abort)],
        exception_handlers={401: make_it_a_200},
        middleware=[*middleware, Middleware(PassthroughAuthMiddleware, **options)],
    )
    app.state.seen = seen
    return app


def test_an_app_s_own_401_handler_can_t_turn_a_refusal_into_a_200():
    app = starlette_app()

    assert started(ask(app, http_scope("/abort", ALICE)))[0] == 200
    assert started(ask(app, http_scope("/abort")))[0] == 401
    assert started(ask(app, http_scope("/no-such-path")))[0] == 401
    assert started(ask(app, http_scope("/no-such-path", ALICE)))[0] == 404


CORS = Middleware(CORSMiddleware, allow_origins=["https://ui.example"], allow_methods=["PUT"])
ORIGIN = ("origin", "https://ui.example")


def test_cors_outside_decorates_refusals_and_answers_preflights():
    app = starlette_app(CORS)
    refused = started(ask(app, http_scope("/me", ORIGIN)))
    preflight = http_scope(
        "/me", ORIGIN, ("access-control-request-method", "PUT"), method="OPTIONS"
    )

    assert refused[0] == 401
    assert refused[1]["access-control-allow-origin"] == "https://ui.example"
    assert started(ask(app, preflight))[0] == 200


def test_background_tasks_run_for_the_caller():
    app = starlette_app()

    assert body_of(ask(app, http_scope("/me", ALICE))) == b"Bearer alice"
    assert app.state.seen == ["Bearer alice"]


@pytest.mark.parametrize(
    "options",
    [
        {"excluded_paths": "/health"},
        {"header_extractors": ["x-token"]},
        {"trusted_origins": ["ui.example"]},
        {"allow_preflight": True},
    ],
)
def test_a_wrong_option_fails_when_the_app_starts(options):
    async def app(scope, receive, send): ...

    with pytest.raises(ConfigurationError):
        PassthroughAuthMiddleware(app, **options)
    with pytest.raises(ConfigurationError):
        ask(starlette_app(**options), {"type": "lifespan"}, {"type": "lifespan.startup"})


def test_an_unknown_option_suggests_a_known_one():
    said = "PassthroughAuthMiddleware has no option 'exclude_paths'; did you mean 'excluded_paths'"

    with pytest.raises(ConfigurationError, match=said):
        PassthroughAuthMiddleware(Recorder(), exclude_paths=[])


# --- Prefixes and mounts --------------------------------------------------------------------------


def naming(name):
    async def handler(request):
        return PlainTextResponse(f"{name} {caller()}")

    return handler


def app_with_a_mount(router=Starlette):
    tools = router(
        routes=[Route("/health", naming("health")), Route("/{rest:path}", naming("another"))]
    )
    app = Starlette(routes=[Mount("/tools", tools), Route("/{rest:path}", naming("else"))])
    return PassthroughAuthMiddleware(app, excluded_paths={"/tools/health"}, bindings=[])


@pytest.mark.parametrize("router", [Starlette, Router])
@pytest.mark.parametrize(
    "root", ["", "/api", "/api/v1", "/a//b", "/api/", "api", "/tools/health/x"]
)
@pytest.mark.parametrize("prefixed", [True, False])
def test_a_public_path_reaches_the_handler_that_its_rule_names(router, root, prefixed):
    """Also if the path lacks its root, as after a proxy that strips a prefix."""
    path = root + "/tools/health" if prefixed else "/tools/health"
    scope = http_scope(path, root_path=root)

    body = body_of(ask(app_with_a_mount(router), scope))

    assert body in (b"health public", REQUIRED)
    if root in ("", "/api", "/api/v1"):
        assert body == b"health public"


def test_a_path_that_is_not_public_is_routed_as_it_came():
    scope = http_scope("/else", ALICE, root_path="/api")

    assert body_of(ask(app_with_a_mount(), scope)) == b"else Bearer alice"
    assert scope["path"] == "/else"


# --- Refusals that a page can read ----------------------------------------------------------------


@pytest.mark.parametrize("offered", [[], ["app.v1", "app.v2"]])
def test_a_refusal_with_a_close_code_accepts_a_websocket_and_closes_it(offered):
    app = PassthroughAuthMiddleware(
        Recorder(), on_refusal=lambda request, refusal: refusal._replace(close_code=4401)
    )
    scope = {**websocket_scope("/ws"), "subprotocols": offered}

    assert asyncio.run(Exchange(scope).run(app)) == [
        {"type": "websocket.accept", "subprotocol": offered[0] if offered else None},
        {"type": "websocket.close", "code": 4401, "reason": ""},
    ]
    assert ask(app, http_scope("/"))[0]["status"] == 401


@pytest.mark.parametrize("code", [1000, 2999, 5000, "4401", True])
def test_a_close_code_of_others_is_not_sent(code, caplog):
    app = PassthroughAuthMiddleware(
        Recorder(), on_refusal=lambda request, refusal: refusal._replace(close_code=code)
    )
    (closed,) = asyncio.run(Exchange(websocket_scope("/ws")).run(app))
    assert closed["code"] == 1008
    assert "on_refusal returned no Refusal" in caplog.text


# --- Where it stands ------------------------------------------------------------------------------


def test_inside_of_a_server_of_sockets_it_does_not_start():
    """python-socketio derives from this one. It answers its own requests, which pass it by."""
    sockets = engineio.ASGIApp(
        engineio.AsyncServer(async_mode="asgi"), PassthroughAuthMiddleware(Starlette())
    )
    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with pytest.raises(ConfigurationError, match=r"socketio\.ASGIApp stands outside"):
        asyncio.run(sockets({"type": "lifespan"}, receive, send))
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    assert "app = PassthroughAuthMiddleware(app)" in failed["message"]
