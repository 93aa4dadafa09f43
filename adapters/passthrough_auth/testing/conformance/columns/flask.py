"""The conformance app on Flask, with sync views and with async views."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask, Response, abort, g, request, stream_with_context

from passthrough_auth.core import GateOptions
from passthrough_auth.frameworks.flask import PassthroughAuth
from passthrough_auth.testing.conformance import handlers
from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.conformance.model import Feature

from .starlette import METHODS

Answer = handlers.Answer


def _sync(answer: Callable[..., Answer]) -> Callable[..., Answer]:
    return answer


def _async(answer: Callable[..., Answer]) -> Callable[..., Any]:
    async def view(**parts: str) -> Answer:
        return answer(**parts)

    return view


def _outside(wsgi_app: Any) -> Any:
    """A WSGI layer outside ours, which decorates every answer."""

    def decorated(environ: Any, start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: Any, *rest: Any) -> Any:
            return start_response(status, [*headers, ("x-outside", "yes")], *rest)

        answer: Iterable[bytes] = wsgi_app(environ, start)
        return answer

    return decorated


def _build(options: GateOptions, view: Callable[..., Any]) -> Any:
    app = Flask("conformance")
    app.before_request(_note_before)
    app.after_request(_note_after)
    app.teardown_request(_fail_in_teardown)
    app.register_error_handler(handlers.Deliberate, lambda error: (handlers.whoami(), 418))
    app.register_error_handler(401, lambda error: {"handled": 401})
    for rule, answer in {
        "/raise": handlers.fail,
        "/crash": handlers.crash,
        "/upstream-refuses": handlers.upstream_refuses,
        "/upstream-denies": handlers.upstream_denies,
        "/upstream-denies-and-more": handlers.upstream_denies_and_more,
        "/threads": handlers.threads,
        "/forked": handlers.forked,
        "/texts": handlers.texts,
        "/logged": handlers.logged,
        "/slow": handlers.slow,
        "/abandoned/<key>": handlers.abandoned,
        "/recorded/<key>": handlers.recorded,
        "/outlive/<key>": handlers.outlive,
        "/take-along/<key>": handlers.take_along,
        "/get-only": handlers.whoami,
        "/teardown-crash": handlers.whoami,
    }.items():
        app.add_url_rule(rule, rule, view(answer), methods=["GET"])
    for rule, body in {
        "/public/stream": handlers.stream,
        "/stream": handlers.stream,
        "/large": handlers.large,
        "/endless": handlers.endless,
        "/stream-crash": handlers.stream_crash,
        "/acting": handlers.acting,
    }.items():
        # Flask before 3.1.2 can't keep its own context for a body that an async view makes.
        kept = stream_with_context if view is _sync else iter
        app.add_url_rule(rule, rule, view(_streaming(kept, body)), methods=["GET"])
    app.add_url_rule("/abort-401", "abort", view(lambda: abort(401)))
    app.add_url_rule("/background/<key>", "background", view(_background), methods=["GET", "POST"])
    app.add_url_rule("/outlive-stream/<key>", "outlive_stream", view(_outlive_stream))
    app.add_url_rule("/outlive-endless/<key>", "outlive_endless", view(_outlive_endless))
    app.add_url_rule("/closing/<key>", "closing", view(_closing))
    # Flask knows by itself what is async; where no view is, these are asked for by nobody.
    app.add_url_rule("/athreads", "athreads", handlers.athreads)
    app.add_url_rule("/aslow", "aslow", handlers.aslow)
    app.add_url_rule("/aabandoned/<key>", "aabandoned", handlers.aabandoned)
    for rule in ("/upload", "/public/upload"):
        app.add_url_rule(rule, rule, view(_upload), methods=["POST"])
    for rule in ("/", "/<path:rest>"):
        app.add_url_rule(rule, rule, view(_whoami), methods=METHODS)
    PassthroughAuth(app, **options)
    app.wsgi_app = _outside(app.wsgi_app)  # type: ignore[method-assign]  # Flask's way
    return app


def _note_before() -> None:
    g.saw = handlers.saw()


def _note_after(response: Response) -> Response:
    # Not for a refusal: there, no before-request function but ours has run.
    if "saw" in g:
        response.headers["x-handler"] = "yes"
        response.headers["x-middleware-saw"] = g.saw if g.saw == handlers.saw() else "changed"
    return response


def _fail_in_teardown(error: BaseException | None) -> None:
    if request.path == "/teardown-crash":
        handlers.crash()


def _whoami(rest: str = "") -> Answer:
    return handlers.whoami()


def _upload() -> Answer:
    return handlers.uploaded(request.get_data())


def _streaming(
    kept: Callable[..., Any], body: Callable[[], Iterator[bytes]]
) -> Callable[[], Response]:
    return lambda: Response(kept(body()))


def _outlive_stream(key: str) -> Response:
    handlers.outlive(key)
    return Response(handlers.stream())


def _outlive_endless(key: str) -> Response:
    handlers.outlive(key)
    return Response(handlers.endless(handlers.LONG))


def _closing(key: str) -> Response:
    return Response(handlers.closing(key))


def _background(key: str) -> Response:
    request.get_data()
    response = Response(json.dumps(handlers.whoami()))
    response.call_on_close(lambda: handlers.background(key))
    return response


_FEATURES: frozenset[Feature] = frozenset({"allow-preflight", "background", "sync-stream"})
_ASYNC_FEATURES: frozenset[Feature] = frozenset({*_FEATURES, "async"})

COLUMNS = (
    Column("Flask, sync views", "wsgi", lambda options: _build(options, _sync), _FEATURES),
    Column("Flask, async views", "wsgi", lambda options: _build(options, _async), _ASYNC_FEATURES),
)
