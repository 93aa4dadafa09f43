"""The extension for Flask."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

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
    from flask import Flask, Response, current_app, request
    from flask import Request as FlaskNativeRequest
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["FlaskRequest", "PassthroughAuth"]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

R = TypeVar("R")

EXTENSION = "passthrough_auth"
_SERVED = "passthrough_auth.served"
_CONFIG_PREFIX = "PASSTHROUGH_AUTH_"


class FlaskRequest(WsgiRequest):
    """A request for extractors. `native` is Flask's own request object."""

    __slots__ = ()

    @property
    def native(self) -> FlaskNativeRequest:
        # Flask's documented way to get the object of a proxy; the types don't know it.
        native: FlaskNativeRequest = cast("Any", request)._get_current_object()  # noqa: SLF001 - documented
        return native


class PassthroughAuth:
    """Serves each request as the caller who sent it, and refuses requests without credentials.

        PassthroughAuth(app, excluded_paths={"/health"})

    or, with an application factory, `auth = PassthroughAuth(...)` and later `auth.init_app(app)`.
    Takes the options of `passthrough_auth.core.Gate`. An option that the constructor was not given
    comes from `app.config["PASSTHROUGH_AUTH_<OPTION>"]`. Raises `ConfigurationError` for a wrong
    option.

    The caller is visible (`current_credentials()`) in before- and after-request functions, views,
    error handlers, teardown functions and every piece of a streamed body.
    """

    def __init__(self, app: Flask | None = None, **options: Unpack[GateOptions]) -> None:
        check_option_names(options, source=type(self).__name__)
        # Each protected app gets the options again, and an iterator can be used only once.
        self._options = cast("GateOptions", {name: _kept(each) for name, each in options.items()})
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Protect an application. Call it once for each; one extension may serve several."""
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
    """One protected application: its gate, and the places where Flask calls it."""

    def __init__(self, app: Flask, gate: Gate) -> None:
        self.gate = gate
        self._app_name = app.name
        self._view_functions = app.view_functions
        self._wsgi_app = cast("WsgiApp", app.wsgi_app)
        # Flask 3.2 will pass its own context to each of these, before their arguments.
        self._preprocess_request: Callable[..., ResponseReturnValue | None] = app.preprocess_request
        self._default_options_response: Callable[..., Response] = app.make_default_options_response
        self._handle_user_exception: Callable[..., ResponseReturnValue | HTTPException] = (
            app.handle_user_exception
        )
        self._process_response: Callable[..., Response] = app.process_response
        # Replacing wsgi_app is Flask's way to add middleware; its types don't know that. Flask runs
        # the app's functions in preprocess_request, so none runs before the gate. When an error has
        # ended them, it calls handle_user_exception. In process_response they see the response.
        replaced = cast("Any", app)
        replaced.wsgi_app = self._serve
        replaced.preprocess_request = self._preprocess
        replaced.handle_user_exception = self._handle_exception
        replaced.process_response = self._process

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Run one request in its own context, from its first function to its last piece of body.

        A before-request and a teardown function alone would not be enough. If another teardown
        raises, the caller would remain in the worker thread, and a streamed body ends later.
        """
        served = environ[_SERVED] = _Served(self, environ)
        try:
            body = served.run(served.begin, self._wsgi_app, environ, start_response)
        except BaseException:
            del environ  # a traceback with locals would show the headers in it
            served.close()
            raise
        if _is_file(body, environ):
            # Servers send a file themselves, but only if they get this exact object.
            served.close()
            return body
        return BodyInContext(body, served.run, served.end_with_body)

    def _preprocess(self, *context: Any) -> ResponseReturnValue | None:
        decision = self._decide()
        if isinstance(decision, Refused):
            return _response(decision.refusal)
        if isinstance(decision, Public) and decision.absence == "preflight":
            view = self._view_functions.get(request.endpoint or "")
            # Many views list OPTIONS for CORS, and none may run without credentials. But a view
            # with this attribute set to False, as by flask_cors.cross_origin, answers them itself.
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
        if isinstance(decision, Refused):
            served.refusal = decision.refusal
        return decision

    def _handle_exception(self, *context_and_error: Any) -> ResponseReturnValue | HTTPException:
        """Run the app's error handlers first; an error they leave may be an upstream refusal."""
        try:
            return self._handle_user_exception(*context_and_error)
        except Exception as unhandled:
            refusal = self.gate.refusal_for(FlaskRequest(request.environ), unhandled)
            if refusal is None:
                raise
            return _response(refusal)

    def _process(self, *context_and_response: Any) -> Response:
        """Have the app's after-request functions, and its session, finish a response.

        Many rely on what a before-request function has done, and none has run for a refusal.
        """
        try:
            return self._process_response(*context_and_response)
        except Exception:
            refusal = _refusal_of(request.environ)
            if refusal is None:
                raise
            *context, _ = context_and_response
            log_exception: Callable[..., None] = current_app.log_exception
            log_exception(*context, sys.exc_info())
            return _response(refusal)


class _Served:
    """One request being served: how to run code in its context, and the hold that is current there.

    The context is private, except for a request of `with app.test_client()`. The test client keeps
    Flask's contexts for the test to inspect, so those and the hold must be in the test's context.
    """

    def __init__(self, by: _Protection, environ: Environ) -> None:
        self.by = by
        self.settled = False
        self.refusal: Refusal | None = None
        self._hold = Hold()
        self._active: AbstractContextManager[Hold] | None = None
        keep = environ.get("werkzeug.debug.preserve_context")
        self._is_private = keep is None
        self._is_kept = False
        self.run: Runner = copy_context().run if keep is None else _call
        if keep is not None:
            keep(self)

    def begin(
        self, app: WsgiApp, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Call the app before the caller is decided. Call this within the request's context."""
        self._enter()
        try:
            return app(environ, start_response)
        except BaseException:
            del environ  # a traceback with locals would show the headers in it
            raise

    def settle(self, hold: Hold) -> None:
        """Make the gate's hold the current one, once. Call this within the request's context."""
        self.settled = True
        if not self._is_private:
            self._leave()
        self._hold = hold
        self._enter()

    def close(self) -> None:
        """End the hold first, which works from any thread, then leave its bindings.

        Without bindings there is nothing to leave in a private context, because it also ends here.
        """
        self._hold.close()
        if self._hold.bindings or not self._is_private:
            self.run(self._leave)

    def end_with_body(self) -> None:
        """Close it, unless a test client keeps it, which then says when."""
        if not self._is_kept:
            self.close()

    def __enter__(self) -> None:
        # Werkzeug's debugger is handed this as well, and doesn't come here if all went well.
        self._is_kept = True

    def __exit__(self, *raised: object) -> None:
        self.close()

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


def _refusal_of(environ: Environ) -> Refusal | None:
    served = environ.get(_SERVED)
    return served.refusal if isinstance(served, _Served) else None


def _response(refusal: Refusal) -> Response:
    # Werkzeug omits the body from the answer to HEAD, but keeps its length.
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
