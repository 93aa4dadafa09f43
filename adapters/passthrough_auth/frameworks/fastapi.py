"""The middleware for FastAPI: a drop-in for the one in `flyte.app.extras`."""

from passthrough_auth.core import (
    AsgiRequest,
    extract_authorization_header,
    extract_cookie_header,
    extract_custom_header,
    requires_extra,
)

from .asgi import PassthroughAuthMiddleware

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
    see `PassthroughAuthMiddleware` for the rest.
    """

    request_class = FastAPIRequest

    extract_authorization_header = staticmethod(extract_authorization_header)
    extract_cookie_header = staticmethod(extract_cookie_header)
    extract_custom_header = staticmethod(extract_custom_header)
