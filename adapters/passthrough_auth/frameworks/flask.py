"""The extension for Flask."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Token, copy_context
from typing import Any, TypeVar, Unpack, cast

from passthrough_auth.core.caller import (
    BodyInContext,
    CallerScope,
    Runner,
    caller_var,
    reset_caller,
)
from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.inbound import (
    OPTION_NAMES,
    Admission,
    Gate,
    GateOptions,
    Refusal,
    WsgiRequest,
    check_option_names,
    options_from,
)
from passthrough_auth.optional_import import optional_import

with optional_import("flask"):
    from flask import Flask, Response, current_app, request
    from flask import Request as FlaskNativeRequest
    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException

__all__ = ["FlaskOptions", "FlaskRequest", "PassthroughAuth"]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

R = TypeVar("R")

EXTENSION = "passthrough_auth"
_SERVED = "passthrough_auth.served"
_CONFIG_PREFIX = "PASSTHROUGH_AUTH_"


class FlaskOptions(GateOptions, total=False):
    """The options of `Gate`, and one more.

    `allow_preflight` lets CORS preflights pass without credentials, to Flask's own answer. A view
    runs for a preflight only if it says that it answers OPTIONS itself.
    """

    allow_preflight: bool


_OPTION_NAMES = sorted({*OPTION_NAMES, "allow_preflight"})


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
    Takes the options of `passthrough_auth.core.inbound.Gate`, and `allow_preflight`: see
    `FlaskOptions`. An option without an argument comes from
    `app.config["PASSTHROUGH_AUTH_<OPTION>"]`. Raises `ConfigurationError` for a wrong option.

    The caller is visible (`current_credentials()`) in before- and after-request functions, views,
    error handlers, teardown functions and every piece of a streamed body.
    """

    def __init__(self, app: Flask | None = None, **options: Unpack[FlaskOptions]) -> None:
        check_option_names(options, source=type(self).__name__, names=_OPTION_NAMES)
        # Each protected app gets the options again, and an iterator can be used only once.
        self._options = cast(
            "FlaskOptions", {name: _reusable(each) for name, each in options.items()}
        )
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Protect an application. Call it once for each; one extension may serve several."""
        if not isinstance(app, Flask):
            raise ConfigurationError(
                f"PassthroughAuth takes a Flask app, not a {type(app).__name__}: write "
                "PassthroughAuth(app, excluded_paths={'/health'})"
            )
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"the Flask app {app.name!r} has passthrough-auth already: remove the second "
                "PassthroughAuth(app) or init_app(app)"
            )
        options = _options_in(app.config)
        options.update(self._options)
        preflights = options.pop("allow_preflight", False)
        if not isinstance(preflights, bool):
            raise ConfigurationError(f"allow_preflight is True or False, not {preflights!r}")
        gate = Gate(**cast("GateOptions", options))
        app.extensions[EXTENSION] = _Protection(app, gate, preflights=preflights)


class _Protection:
    """One protected application, with its gate and the methods of the app that it replaces."""

    def __init__(self, app: Flask, gate: Gate, *, preflights: bool) -> None:
        self.gate = gate
        self._preflights = preflights
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
        admission = self._admit()
        if admission.refusal is not None:
            return _response(admission.refusal)
        if admission.absence == "preflight":
            view = self._view_functions.get(request.endpoint or "")
            # Many views list OPTIONS for CORS, and none may run without credentials. But a view
            # with this attribute set to False, as by flask_cors.cross_origin, answers them itself.
            if getattr(view, "provide_automatic_options", None) is not False:
                return self._default_options_response(*context)
        return self._preprocess_request(*context)

    def _admit(self) -> Admission:
        environ = request.environ
        served = environ.get(_SERVED)
        if not isinstance(served, _Served) or served.by is not self or served.admission is not None:
            raise ConfigurationError(
                f"a request reached {self._app_name!r} without passing its wsgi_app, in which "
                "passthrough-auth sets the caller. Wrap app.wsgi_app instead of replacing it; "
                "within a view, call it for another request; in a test, use the test client, or "
                "acting_as() around code that needs a caller"
            )
        admission = self.gate.admit(FlaskRequest(environ), preflights=self._preflights)
        del environ  # a traceback with locals would show the headers in it
        served.settle(admission)
        return admission

    def _handle_exception(self, *context_and_error: Any) -> ResponseReturnValue | HTTPException:
        """Run the app's error handlers first. An error without a handler may be a refusal."""
        try:
            return self._handle_user_exception(*context_and_error)
        except Exception as unhandled:
            refusal = self.gate.refusal_for(FlaskRequest(request.environ), unhandled)
            if refusal is None:
                raise
            return _response(refusal)

    def _process(self, *context_and_response: Any) -> Response:
        """Run the app's after-request functions, and save its session.

        Many of these functions rely on before-request functions, which have not run for a refusal.
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
    """A request that is being served: its context and the scope of its caller.

    The context is private, except for a request of `with app.test_client()`. The test client keeps
    Flask's contexts for the test to inspect, so those and the scope must be in the test's context.
    """

    def __init__(self, by: _Protection, environ: Environ) -> None:
        self.by = by
        self.admission: Admission | None = None
        self._token: Token[CallerScope | None] | None = None
        keep = environ.get("werkzeug.debug.preserve_context")
        self._is_private = keep is None
        self._is_kept = False
        self.run: Runner = copy_context().run if keep is None else _call
        if keep is not None:
            keep(self)

    def begin(
        self, app: WsgiApp, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Call the app; its caller is undecided yet. Call this within the request's context."""
        self._token = caller_var.set(_UNDECIDED)
        try:
            return app(environ, start_response)
        except BaseException:
            del environ  # a traceback with locals would show the headers in it
            raise

    def settle(self, admission: Admission) -> None:
        """Make the gate's scope the current one, once. Call this within the request's context."""
        self.admission = admission
        caller_var.set(admission)

    def close(self) -> None:
        """End the scope, from any thread. A private context isn't used again, so it isn't reset."""
        if self.admission is not None:
            self.admission.close()
        token, self._token = self._token, None
        if token is not None and not self._is_private:
            reset_caller(token)

    def end_with_body(self) -> None:
        """End the scope, unless a test client keeps the request and ends it later."""
        if not self._is_kept:
            self.close()

    def __enter__(self) -> None:
        # Werkzeug's debugger gets this object too, but enters it only after an error.
        self._is_kept = True

    def __exit__(self, *raised: object) -> None:
        self.close()


_UNDECIDED = CallerScope()


def _call(function: Callable[..., R], /, *args: Any) -> R:
    return function(*args)


def _refusal_of(environ: Environ) -> Refusal | None:
    served = environ.get(_SERVED)
    admission = served.admission if isinstance(served, _Served) else None
    return None if admission is None else admission.refusal


def _response(refusal: Refusal) -> Response:
    # Werkzeug omits the body from the answer to HEAD, but keeps its length.
    return Response(refusal.body, refusal.status, list(refusal.headers))


def _is_file(body: object, environ: Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _reusable(option: object) -> object:
    return tuple(cast("Iterator[object]", option)) if isinstance(option, Iterator) else option


def _options_in(config: Mapping[str, object]) -> FlaskOptions:
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
    source = f"app.config[{_CONFIG_PREFIX + '...'!r}]"
    return cast("FlaskOptions", options_from(settings, source=source, names=_OPTION_NAMES))
