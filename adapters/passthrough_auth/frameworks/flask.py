"""The extension for Flask."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from contextvars import copy_context
from typing import Any, TypeVar, Unpack, cast

from passthrough_auth.core import (
    BodyInContext,
    ConfigurationError,
    Decision,
    Gate,
    GateOptions,
    Hold,
    Public,
    Refusal,
    Refused,
    Runner,
    WsgiRequest,
    check_option_names,
    options_from,
    requires_extra,
)

with requires_extra("flask"):
    from flask import Flask, Response, request
    from flask import Request as FlaskNativeRequest
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException

__all__ = ["FlaskRequest", "PassthroughAuth"]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

R = TypeVar("R")

EXTENSION = "passthrough_auth"
_SERVED = "passthrough_auth.served"
_CONFIG_PREFIX = "PASSTHROUGH_AUTH_"


class FlaskRequest(WsgiRequest):
    """A request as extractors see it; `native` is Flask's own request object."""

    __slots__ = ()

    @property
    def native(self) -> FlaskNativeRequest:
        # Flask's documented way to what a proxy stands for, unknown to the types.
        native: FlaskNativeRequest = cast("Any", request)._get_current_object()  # noqa: SLF001 - documented
        return native


class PassthroughAuth:
    """Serves each request as the caller who sent it, and refuses requests without credentials.

        PassthroughAuth(app, excluded_paths={"/health"})

    or, with an application factory, `auth = PassthroughAuth(...)` and later `auth.init_app(app)`.
    Takes the options of `passthrough_auth.core.Gate`; `app.config["PASSTHROUGH_AUTH_<OPTION>"]`
    gives those that the constructor was not given. Raises `ConfigurationError` for wrong ones.

    The caller is visible (`current_credentials()`) in before- and after-request functions, views,
    error handlers, teardown functions and every piece of a streamed body.
    """

    def __init__(self, app: Flask | None = None, **options: Unpack[GateOptions]) -> None:
        check_option_names(options, source=type(self).__name__)
        # Each app that this protects is given them anew, which an iterator yields once.
        self._options = cast("GateOptions", {name: _kept(each) for name, each in options.items()})
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Protect an application. Once for each; one extension may serve several."""
        if not isinstance(app, Flask):
            raise ConfigurationError(
                f"PassthroughAuth takes a Flask app, and was given a {type(app).__name__}: write "
                "PassthroughAuth(app, excluded_paths={'/health'})"
            )
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"the Flask app {app.name!r} has passthrough-auth already: remove the second "
                "PassthroughAuth(app) or init_app(app)"
            )
        options = _options_in(app.config)
        options.update(self._options)
        app.extensions[EXTENSION] = _Protection(app, Gate(**options))


class _Protection:
    """One protected application: its gate, and the places where Flask asks it."""

    def __init__(self, app: Flask, gate: Gate) -> None:
        self.gate = gate
        self._app_name = app.name
        self._view_functions = app.view_functions
        self._wsgi_app = cast("WsgiApp", app.wsgi_app)
        # Flask 3.2 will hand its own context to each of these three, before their arguments.
        self._preprocess_request: Callable[..., ResponseReturnValue | None] = app.preprocess_request
        self._default_options_response: Callable[..., Response] = app.make_default_options_response
        self._handle_user_exception: Callable[..., ResponseReturnValue | HTTPException] = (
            app.handle_user_exception
        )
        # Flask's way to add middleware, which its types don't know; where it begins to run the
        # app's functions, so that none runs before the gate; and where an error has ended them.
        replaced = cast("Any", app)
        replaced.wsgi_app = self._serve
        replaced.preprocess_request = self._preprocess
        replaced.handle_user_exception = self._handle_exception

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request, from its first function to its last piece of body, in its own context.

        A before-request and a teardown function alone would leave the caller behind in the worker
        thread when another teardown raises, and would end before a streamed body does.
        """
        served = environ[_SERVED] = _Served(self, environ)
        try:
            body = served.run(served.begin, self._wsgi_app, environ, start_response)
        except BaseException:
            del environ  # a traceback with locals would show the headers in it
            served.close()
            raise
        if _is_file(body, environ):
            # Servers send files by themselves, and only if they are handed this very object.
            served.close()
            return body
        return BodyInContext(body, served.run, served.close)

    def _preprocess(self, *context: Any) -> ResponseReturnValue | None:
        decision = self._decide()
        if isinstance(decision, Refused):
            return _response(decision.refusal)
        if isinstance(decision, Public) and decision.absence == "preflight":
            view = self._view_functions.get(request.endpoint or "")
            # Many views list OPTIONS for the sake of CORS, and none may run without credentials.
            # Those that say this one, as flask_cors.cross_origin does, answer preflights alone.
            if getattr(view, "provide_automatic_options", None) is not False:
                return self._default_options_response(*context)
        return self._preprocess_request(*context)

    def _decide(self) -> Decision:
        environ = request.environ
        served = environ.get(_SERVED)
        if not isinstance(served, _Served) or served.by is not self or served.settled:
            raise ConfigurationError(
                f"a request reached {self._app_name!r} around its wsgi_app, where passthrough-auth "
                "holds the caller. Wrap app.wsgi_app instead of replacing it; within a view, call "
                "it for another request; in a test, use the test client, or auth_metadata() around "
                "code that needs a caller"
            )
        decision = self.gate.decide(FlaskRequest(environ))
        del environ  # a traceback with locals would show the headers in it
        served.settle(self.gate.hold(decision))
        return decision

    def _handle_exception(self, *context_and_error: Any) -> ResponseReturnValue | HTTPException:
        """The app's own error handlers come first; what they leave may be an upstream refusal."""
        try:
            return self._handle_user_exception(*context_and_error)
        except Exception as unhandled:
            refusal = self.gate.refusal_for(FlaskRequest(request.environ), unhandled)
            if refusal is None:
                raise
            return _response(refusal)


class _Served:
    """One request being served: how to run in its context, and what is current in there.

    Its context is a private one, but for a request of `with app.test_client()`: that keeps Flask's
    own contexts for the test to look at, and must find them, and this, where the test runs.
    """

    def __init__(self, by: _Protection, environ: Environ) -> None:
        self.by = by
        self.settled = False
        self._hold = Hold()
        self._active: AbstractContextManager[Hold] | None = None
        keep = environ.get("werkzeug.debug.preserve_context")
        self._is_private = keep is None
        self.run: Runner = copy_context().run if keep is None else _call
        if keep is not None:
            keep(closing(self))

    def begin(
        self, app: WsgiApp, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Call the app, with a caller who is not decided on yet. Called within the context."""
        self._enter()
        try:
            return app(environ, start_response)
        except BaseException:
            del environ  # a traceback with locals would show the headers in it
            raise

    def settle(self, hold: Hold) -> None:
        """Make the gate's answer the current hold, once. Called within the request's context."""
        self.settled = True
        if not self._is_private:
            self._leave()
        self._hold = hold
        self._enter()

    def close(self) -> None:
        """End the hold first, which works from any thread, then leave its bindings.

        With nothing bound there is nothing to leave in a private context, which ends here too.
        """
        self._hold.close()
        if self._hold.bindings or not self._is_private:
            self.run(self._leave)

    def _enter(self) -> None:
        active = self._hold.active()
        active.__enter__()
        self._active = active

    def _leave(self) -> None:
        active, self._active = self._active, None
        if active is not None:
            active.__exit__(None, None, None)


def _call(function: Callable[..., R], /, *args: Any) -> R:
    return function(*args)


def _response(refusal: Refusal) -> Response:
    # Werkzeug leaves the body out of the answer to HEAD, and keeps its length.
    return Response(refusal.body, refusal.status, list(refusal.headers))


def _is_file(body: object, environ: Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _kept(option: object) -> object:
    return tuple(cast("Iterator[object]", option)) if isinstance(option, Iterator) else option


def _options_in(config: Mapping[str, object]) -> GateOptions:
    whole = _CONFIG_PREFIX.removesuffix("_")
    if whole in config:
        raise ConfigurationError(
            f"app.config[{whole!r}] is not read: write an entry for each option, such as "
            f"app.config['{_CONFIG_PREFIX}EXCLUDED_PATHS']"
        )
    settings = {
        key.removeprefix(_CONFIG_PREFIX).lower(): value
        for key, value in config.items()
        if key.startswith(_CONFIG_PREFIX)
    }
    return options_from(settings, source=f"app.config[{_CONFIG_PREFIX + '...'!r}]")
