"""A Flask application without, with idle, with hand-written hooks, and with the extension."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar, Token

from flask import Flask, Response, g, jsonify, request

from benchmarks import sample
from benchmarks.contest import Batch
from passthrough_auth.frameworks.flask import PassthroughAuth

WsgiApp = Callable[..., Iterable[bytes]]

PUBLIC = frozenset({"/health"})

caller: ContextVar[dict[str, str] | None] = ContextVar("caller", default=None)


def no_hooks(app: Flask) -> None:
    """The application alone."""


def no_op(app: Flask) -> None:
    """Hooks that do nothing: what having them costs."""

    @app.before_request
    def before() -> None:
        pass

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        pass


def hand_written(app: Flask) -> None:
    """The twenty lines that one would write: refuse, or carry both headers until the end."""

    @app.before_request
    def authenticate() -> tuple[Response, int, dict[str, str]] | None:
        if request.path in PUBLIC:
            return None
        found: dict[str, str] = {}
        if authorization := request.headers.get("Authorization"):
            found["authorization"] = authorization
        if cookie := request.headers.get("Cookie"):
            found["cookie"] = cookie
        if not found:
            detail = jsonify(detail="Authentication credentials required")
            return detail, 401, {"WWW-Authenticate": "Bearer"}
        g.caller_token = caller.set(found)
        return None

    @app.teardown_request
    def forget(error: BaseException | None) -> None:
        token: Token[dict[str, str] | None] | None = g.pop("caller_token", None)
        if token is not None:
            caller.reset(token)


def ours(app: Flask) -> None:
    """The extension."""
    PassthroughAuth(app, excluded_paths=PUBLIC)


LAYERS: Mapping[str, Callable[[Flask], None]] = {
    "no hooks": no_hooks,
    "no-op hooks": no_op,
    "hand-written hooks": hand_written,
    "passthrough-auth": ours,
}


def app_with(protect: Callable[[Flask], None]) -> Flask:
    """A Flask application with one route."""
    app = Flask("benchmark")
    protect(app)

    @app.get(sample.PATH)
    def items() -> dict[str, str]:
        return {"status": "ok"}

    return app


def subjects() -> dict[str, Batch]:
    return {f"Flask: {name}": serving(app_with(layer)) for name, layer in LAYERS.items()}


def serving(
    app: WsgiApp, fields: Sequence[sample.Header] = sample.HEADERS, path: str = sample.PATH
) -> Batch:
    """Has a WSGI application answer the sample request, again and again."""
    environ = sample.environ(fields, path)

    def repeat(count: int) -> None:
        for _ in range(count):
            body = app(dict(environ), start_response)
            for _piece in body:
                pass
            close = getattr(body, "close", None)
            if close is not None:
                close()

    return repeat


def start_response(status: str, headers: object, exc_info: object = None) -> None:
    """Takes the start of the answer."""
