"""Requests of Django. Their headers come from the environ or scope that Django keeps.

Django's own META joins repeated headers. This module reads the environ or scope, as the adapters of
the other frameworks do, so the decision is the same on every framework.
"""

from typing import cast

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from passthrough_auth.core.inbound import AsgiRequest, Request, WsgiRequest


class _Native:
    """The attributes that both kinds of request take from Django itself."""

    __slots__ = ()

    _native: HttpRequest

    @property
    def path(self) -> str | None:
        # Django's router matches this path. Under WSGI, Django overwrites the environ's PATH_INFO.
        # It percent-encodes bytes that it could not decode, and no rule matches a percent sign.
        return self._native.path_info

    def settle_path(self) -> None:
        """Nothing to do: Django has read its path already."""

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


def as_request(native: HttpRequest) -> Request:
    """The request in the form that core takes."""
    if isinstance(native, ASGIRequest):
        return DjangoAsgiRequest(native)
    return DjangoWsgiRequest(native)
