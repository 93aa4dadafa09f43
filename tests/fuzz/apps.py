"""One small app for each adapter and policy, called through its raw interface in this process."""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import django
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import re_path
from django.utils.decorators import sync_and_async_middleware
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from tests.fuzz.model import Expected
from tests.fuzz.policies import POLICIES, options_of, without_preflights
from tests.fuzz.sent import Sent

from passthrough_auth.core import NoCaller, current_credentials
from passthrough_auth.core.caller import current_scope
from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware
from passthrough_auth.frameworks.fastapi import FastAPIPassthroughAuthMiddleware
from passthrough_auth.frameworks.flask import PassthroughAuth


@dataclass
class Answer:
    """The response, and the caller of each run of the app's code: one, or none."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    seen: list[Expected] = field(default_factory=list)


_seen: list[Expected] = []


def note_the_caller() -> None:
    """Called by each app's own code."""
    try:
        _seen.append(Expected("admitted", current_credentials().pairs()))
    except NoCaller as absent:
        _seen.append(Expected(absent.reason))


# --- The apps -------------------------------------------------------------------------------------


async def _whoami(scope: Any, receive: Any, send: Any) -> None:
    note_the_caller()
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@cache
def starlette_app(policy: int) -> Any:
    """Starlette, with one handler for every path: a route can't match a path with a line break."""
    app = Starlette()
    options = options_of(without_preflights(POLICIES[policy]))
    app.add_middleware(PassthroughAuthMiddleware, **options)
    app.router.default = _whoami
    return app


@cache
def fastapi_app(policy: int) -> Any:
    """FastAPI, likewise."""
    app = FastAPI(openapi_url=None)
    options = options_of(without_preflights(POLICIES[policy]))
    app.add_middleware(FastAPIPassthroughAuthMiddleware, **options)
    app.router.default = _whoami
    return app


# The paths that its rules name have one handler each, and everything else has another.
MOUNTED_RULES = ("/health", "/sub/health", "/sub/public/*")


@cache
def _mounted_app() -> Any:
    def handler(name: str) -> Callable[[Any], Awaitable[Response]]:
        async def answer(request: Any) -> Response:
            return Response(name)

        return answer

    def app(*routes: Any) -> Starlette:
        rest = Route("/{rest:path}", handler("another"))
        return Starlette(routes=[Route("/health", handler("named")), *routes, rest])

    sub = app(Route("/public/{rest:path}", handler("named")))
    return PassthroughAuthMiddleware(app(Mount("/sub", sub)), excluded_paths=MOUNTED_RULES)


def call_mounted(scope: dict[str, Any]) -> str | None:
    """The handler that ran for a request without credentials, of an app with an app mounted."""
    answer = _answer(_mounted_app(), scope)
    return answer.body.decode() if answer.status == 200 else None


@cache
def flask_app(policy: int) -> Any:
    """Flask, with a view for most paths. Its router answers the others."""
    app = Flask("fuzz")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    preflights = POLICIES[policy].allow_preflight
    PassthroughAuth(app, **options_of(POLICIES[policy]), allow_preflight=preflights)
    app.before_request(note_the_caller)
    app.add_url_rule("/", view_func=lambda: "", endpoint="root")
    app.add_url_rule("/<path:rest>", view_func=lambda rest: "", endpoint="rest")
    return app


def _django_view(request: HttpRequest) -> HttpResponse:
    note_the_caller()
    return HttpResponse()


class Urls:
    """Every path leads to one view."""

    urlpatterns = (re_path("", _django_view),)


@sync_and_async_middleware
def routed(get_response: Any) -> Any:
    """Sets the URLs of this app, instead of those of the process."""
    if iscoroutinefunction(get_response):

        async def amiddleware(request: Any) -> Any:
            request.urlconf = Urls
            return await get_response(request)

        return amiddleware

    def middleware(request: Any) -> Any:
        request.urlconf = Urls
        return get_response(request)

    return middleware


def _django(policy: int, handler: Callable[[], Any]) -> Any:
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], SECRET_KEY="fuzz", ROOT_URLCONF=Urls, APPEND_SLASH=False
        )
        django.setup()
    middleware = [
        "passthrough_auth.frameworks.django.PassthroughAuthMiddleware",
        f"{__name__}.routed",
    ]
    options = options_of(without_preflights(POLICIES[policy]))
    # Each handler can have its own settings, because it reads them when it is made.
    with override_settings(PASSTHROUGH_AUTH=options, MIDDLEWARE=middleware):
        return handler()


@cache
def django_wsgi_app(policy: int) -> Any:
    """Django under WSGI."""
    return _django(policy, WSGIHandler)


@cache
def django_asgi_app(policy: int) -> Any:
    """Django under ASGI, with async middleware and an async view."""
    return _django(policy, ASGIHandler)


ASGI_APPS = (starlette_app, fastapi_app, django_asgi_app)
WSGI_APPS = (flask_app, django_wsgi_app)


# --- Calls ----------------------------------------------------------------------------------------

_runner: asyncio.Runner | None = None


def run(work: Awaitable[None]) -> None:
    """Await it in an event loop that is kept for all calls, as in a server."""
    global _runner  # noqa: PLW0603 - one loop for the process
    if _runner is None:
        _runner = asyncio.Runner()
    _runner.run(work)  # type: ignore[arg-type]


def close() -> None:
    """Close the event loop of `run`."""
    global _runner  # noqa: PLW0603 - the same
    if _runner is not None:
        _runner.close()
        _runner = None


def call_asgi(app: Any, sent: Sent) -> Answer:
    """The answer of an ASGI app. An error of the app passes."""
    return _answer(app, sent.scope())


def _answer(app: Any, scope: dict[str, Any]) -> Answer:
    answer = Answer()
    websocket = scope["type"] == "websocket"
    given = iter([{"type": "websocket.connect" if websocket else "http.request"}])
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        for message in given:
            return message
        await answered.wait()
        return {"type": "websocket.disconnect" if websocket else "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind.endswith("response.start"):
            answer.status = message["status"]
            answer.headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
        elif kind.endswith("response.body"):
            answer.body += message.get("body", b"")
            answered.set()
        elif kind == "websocket.accept":
            answer.status = 101

    async def call() -> None:
        await app(scope, receive, send)
        assert current_scope() is None

    _seen.clear()
    run(call())
    answer.seen = list(_seen)
    return answer


def call_wsgi(app: Any, sent: Sent) -> Answer:
    """The answer of a WSGI app. An error of the app passes."""
    answer = Answer()

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[..., None]:
        answer.status = int(status[:3])
        answer.headers = list(headers)
        return lambda data: None

    environ = {
        **sent.environ(),
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    _seen.clear()
    body: Iterable[bytes] = app(environ, start_response)
    try:
        answer.body = b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()
    assert current_scope() is None
    answer.seen = list(_seen)
    return answer
