"""Reading a Django request: off the environ or scope beneath it, which Django keeps.

Django's own META joins repeated headers and decodes paths leniently; what lies beneath is what the
other frameworks' adapters read, so every framework decides alike.
"""

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from passthrough_auth.core import AsgiRequest, Request, WsgiRequest


class DjangoWsgiRequest(WsgiRequest):
    """A Django request under WSGI."""

    __slots__ = ("_native",)

    def __init__(self, native: HttpRequest) -> None:
        super().__init__(native.META)
        self._native = native

    @property
    def native(self) -> HttpRequest:
        return self._native


class DjangoAsgiRequest(AsgiRequest):
    """A Django request under ASGI."""

    __slots__ = ("_native",)

    def __init__(self, native: ASGIRequest) -> None:
        super().__init__(native.scope)
        self._native = native

    @property
    def path(self) -> str | None:
        # What Django's router matches: its FORCE_SCRIPT_NAME may replace the scope's root_path.
        return self._native.path_info

    @property
    def native(self) -> HttpRequest:
        return self._native


def read(native: HttpRequest) -> Request:
    """The request as core sees it."""
    if isinstance(native, ASGIRequest):
        return DjangoAsgiRequest(native)
    return DjangoWsgiRequest(native)
