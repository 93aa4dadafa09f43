"""A Django project with one view under WSGI and ASGI, behind one middleware each."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from io import BytesIO
from typing import cast

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.test.utils import override_settings
from django.urls import path

from benchmarks import sample
from benchmarks.contest import Batch

from .asgi import run
from .flask import serving as serving_wsgi

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]

PUBLIC = frozenset({"/health"})

caller: ContextVar[dict[str, str] | None] = ContextVar("caller", default=None)


class NoOp:
    """A middleware that does nothing, sync and async: what being one costs."""

    sync_capable = async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self.acall(request) if self.is_async else self.get_response(request)

    async def acall(self, request: HttpRequest) -> HttpResponseBase:
        return await cast("Awaitable[HttpResponseBase]", self.get_response(request))


class HandWritten(NoOp):
    """What one would write: refuse, or carry both headers for as long as the view runs."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.acall(request)
        if request.path_info in PUBLIC:
            return self.get_response(request)
        found = self.found(request)
        if not found:
            return self.refusal()
        token = caller.set(found)
        try:
            return self.get_response(request)
        finally:
            caller.reset(token)

    async def acall(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info in PUBLIC:
            return await super().acall(request)
        found = self.found(request)
        if not found:
            return self.refusal()
        token = caller.set(found)
        try:
            return await super().acall(request)
        finally:
            caller.reset(token)

    def found(self, request: HttpRequest) -> dict[str, str]:
        found: dict[str, str] = {}
        if authorization := request.headers.get("Authorization"):
            found["authorization"] = authorization
        if cookie := request.headers.get("Cookie"):
            found["cookie"] = cookie
        return found

    def refusal(self) -> HttpResponse:
        content = {"detail": "Authentication credentials required"}
        return JsonResponse(content, status=401, headers={"WWW-Authenticate": "Bearer"})


class HandWrittenLean(HandWritten):
    """The same, reading META, which spares Django making its mapping of all headers."""

    def found(self, request: HttpRequest) -> dict[str, str]:
        found: dict[str, str] = {}
        if authorization := request.META.get("HTTP_AUTHORIZATION"):
            found["authorization"] = authorization
        if cookie := request.META.get("HTTP_COOKIE"):
            found["cookie"] = cookie
        return found


LAYERS: Mapping[str, list[str]] = {
    "no middleware": [],
    "no-op": [f"{__name__}.NoOp"],
    "hand-written": [f"{__name__}.HandWritten"],
    "hand-written on META": [f"{__name__}.HandWrittenLean"],
    "passthrough-auth": ["passthrough_auth.frameworks.django.PassthroughAuthMiddleware"],
}


def items(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


async def async_items(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


urlpatterns = [
    path(sample.PATH[1:], items),
    path(f"async{sample.PATH}", async_items),
]


def configure() -> None:
    """Set the project up, once for each process."""
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=["*"],
            MIDDLEWARE=[],
            PASSTHROUGH_AUTH={"excluded_paths": list(PUBLIC)},
            LOGGING_CONFIG=None,
        )
        django.setup()


def subjects() -> dict[str, Batch]:
    return {f"Django, WSGI: {name}": serving_wsgi(wsgi(name)) for name in LAYERS} | {
        f"Django, ASGI: {name}": serving_asgi(asgi(name)) for name in LAYERS
    }


def wsgi(layer: str) -> WSGIHandler:
    """The project behind that layer."""
    configure()
    with override_settings(MIDDLEWARE=LAYERS[layer]):
        return WSGIHandler()


def asgi(layer: str) -> ASGIHandler:
    """The same under ASGI."""
    configure()
    with override_settings(MIDDLEWARE=LAYERS[layer]):
        return ASGIHandler()


def serving_asgi(handler: ASGIHandler) -> Batch:
    """Has the project answer the sample request with its async view, again and again.

    From Django's request object to its response: what `ASGIHandler` does around that, tasks and
    threads for signals, takes ten times as long as all this and varies by more than is looked for.
    """
    request = sample.scope(path=f"/async{sample.PATH}")

    async def repeat(count: int) -> None:
        for _ in range(count):
            response = await handler.get_response_async(ASGIRequest(dict(request), BytesIO()))
            response.close()

    return lambda count: run(repeat(count))
