"""The middleware for FastAPI: a drop-in replacement for the one in `flyte.app.extras`."""

from collections.abc import Iterable
from typing import NoReturn, Unpack

from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.inbound import (
    AsgiRequest,
    HeaderExtractor,
    PathRule,
    PolicyOptions,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
)
from passthrough_auth.optional_import import optional_import

from ._lifespan import fail_startup
from .asgi import App, PassthroughAuthMiddleware, Receive, Scope, Send

with optional_import("fastapi"):
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
            misconfigured = _Misconfigured(error)
            self.app = misconfigured.fail_startup
            self.admit = misconfigured.refuse

    extract_authorization_header = staticmethod(extract_authorization_header)
    extract_cookie_header = staticmethod(extract_cookie_header)
    extract_custom_header = staticmethod(extract_custom_header)


class _Misconfigured:
    """Stands for the app with a wrong option: the startup and each request fail with this error."""

    def __init__(self, error: ConfigurationError) -> None:
        self._error = error

    async def fail_startup(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """The app for the lifespan."""
        await fail_startup(self._error, receive, send)

    def refuse(self, _request: AsgiRequest) -> NoReturn:
        """Raise the error for a request, in case the server has started nevertheless."""
        raise self._error.with_traceback(None)
