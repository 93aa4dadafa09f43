"""The middleware for FastAPI: a drop-in replacement for the one in `flyte.app.extras`."""

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
    # FastAPI uses Starlette's own request. This import names FastAPI, in case it is missing.
    from fastapi.requests import HTTPConnection


__all__ = ["FastAPIPassthroughAuthMiddleware", "FastAPIRequest"]


class FastAPIRequest(AsgiRequest):
    """A request for extractors. `native` is Starlette's `HTTPConnection`."""

    __slots__ = ()

    @property
    def native(self) -> HTTPConnection:
        return HTTPConnection(self.scope)


class FastAPIPassthroughAuthMiddleware(PassthroughAuthMiddleware):
    """Serves each request as the caller who sent it, and refuses requests without credentials.

        app.add_middleware(FastAPIPassthroughAuthMiddleware, excluded_paths={"/health", "/docs"})

    Name, parameters and static methods are those of
    `flyte.app.extras.FastAPIPassthroughAuthMiddleware`; see `PassthroughAuthMiddleware` for the
    rest. FastAPI makes its middleware when the server first calls the app, so a wrong option is
    reported then: it fails the startup of the lifespan or, without a lifespan, each request.
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
            # If an app raises in the lifespan, servers assume that it has none, and start. If it
            # reports that its startup failed, they stop.
            misconfigured = _Misconfigured(error)
            self.app = misconfigured.fail_startup
            self.gate = cast("Gate", misconfigured)

    extract_authorization_header = staticmethod(extract_authorization_header)
    extract_cookie_header = staticmethod(extract_cookie_header)
    extract_custom_header = staticmethod(extract_custom_header)


class _Misconfigured:
    """Replaces both gate and app if the options are wrong: nothing starts, nothing is served.

    The gate is called for every request, and the app only for the lifespan.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def decide(self, _request: object) -> NoReturn:
        raise self._error.with_traceback(None)

    async def fail_startup(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": str(self._error)})
        raise self._error.with_traceback(None)
