"""The middleware for FastAPI: a drop-in for the one in `flyte.app.extras`."""

from collections.abc import Iterable
from typing import NoReturn, Unpack, cast

from passthrough_auth.core import (
    AsgiRequest,
    ConfigurationError,
    Gate,
    HeaderExtractor,
    PathRule,
    PolicyOptions,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
    requires_extra,
)

from .asgi import App, PassthroughAuthMiddleware, Receive, Scope, Send

with requires_extra("fastapi"):
    # FastAPI uses Starlette's own request; importing it from there says which package it is.
    from fastapi.requests import HTTPConnection


__all__ = ["FastAPIPassthroughAuthMiddleware", "FastAPIRequest"]


class FastAPIRequest(AsgiRequest):
    """A request as extractors see it; `native` is Starlette's `HTTPConnection`."""

    __slots__ = ()

    @property
    def native(self) -> HTTPConnection:
        return HTTPConnection(self.scope)


class FastAPIPassthroughAuthMiddleware(PassthroughAuthMiddleware):
    """Serves each request as the caller who sent it, and refuses requests without credentials.

        app.add_middleware(FastAPIPassthroughAuthMiddleware, excluded_paths={"/health", "/docs"})

    Same name, parameters and static methods as `flyte.app.extras.FastAPIPassthroughAuthMiddleware`;
    see `PassthroughAuthMiddleware` for the rest. FastAPI makes its middleware when the server first
    calls it, so a wrong option is reported then: it fails the startup of the lifespan, and where
    there is no lifespan, each request.
    """

    request_class = FastAPIRequest

    def __init__(
        self,
        app: App,
        header_extractors: Iterable[HeaderExtractor] | None = None,
        excluded_paths: Iterable[PathRule] | None = None,
        **options: Unpack[PolicyOptions],
    ) -> None:
        try:
            super().__init__(app, header_extractors, excluded_paths, **options)
        except ConfigurationError as error:
            # Servers take an exception in answer to the lifespan for an app that has none, and
            # start; they stop for an app that says that its startup failed.
            misconfigured = _Misconfigured(error)
            self.app = misconfigured.fail_startup
            self.gate = cast("Gate", misconfigured)

    extract_authorization_header = staticmethod(extract_authorization_header)
    extract_cookie_header = staticmethod(extract_cookie_header)
    extract_custom_header = staticmethod(extract_custom_header)


class _Misconfigured:
    """Stands for both gate and app where the options are wrong: nothing starts, nothing is served.

    The gate is asked for every request, the app for what is left: the lifespan.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def decide(self, _request: object) -> NoReturn:
        raise self._error.with_traceback(None)

    async def fail_startup(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": str(self._error)})
        raise self._error.with_traceback(None)
