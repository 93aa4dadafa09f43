"""Reading a Django request: headers off the environ or scope beneath it, which Django keeps.

Django's own META joins repeated headers; what lies beneath is what the other frameworks' adapters
read, so every framework decides alike.
"""

from typing import cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from passthrough_auth.core import AsgiRequest, Request, WsgiRequest


class _Native:
    """What both kinds of request take from Django itself."""

    __slots__ = ()

    _native: HttpRequest

    @property
    def path(self) -> str | None:
        # What Django's router matches. Under WSGI Django writes over the environ's PATH_INFO; what
        # it could not decode it has percent-encoded again, and no rule matches a percent sign.
        return self._native.path_info

    @property
    def native(self) -> HttpRequest:
        return self._native


class DjangoWsgiRequest(_Native, WsgiRequest):
    """A Django request under WSGI."""

    __slots__ = ("_native",)

    def __init__(self, native: HttpRequest) -> None:
        super().__init__(native.META)
        self._native = native


class DjangoAsgiRequest(_Native, AsgiRequest):
    """A Django request under ASGI."""

    __slots__ = ("_native",)

    def __init__(self, native: ASGIRequest) -> None:
        super().__init__(cast("dict[str, object]", native.scope))
        self._native = native


def read(native: HttpRequest) -> Request:
    """The request as core sees it."""
    if isinstance(native, ASGIRequest):
        return DjangoAsgiRequest(native)
    return DjangoWsgiRequest(native)
