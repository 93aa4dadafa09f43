"""The conformance app on Django: WSGI, ASGI, and ASGI beside a middleware that is sync only."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import re_path

from passthrough_auth.core import GateOptions
from passthrough_auth.testing.conformance import handlers
from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.conformance.model import Feature

_OURS = "passthrough_auth.frameworks.django.PassthroughAuthMiddleware"
_HERE = __name__


class Outside:
    """A layer outside ours, sync and async: it decorates every answer, and fails after one."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        # asgiref's version is the one that Django asks, on every Python.
        self.is_async = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        # One process serves both interfaces, whose apps differ in more than the handler.
        if isinstance(request, ASGIRequest):
            setattr(request, "urlconf", AsyncUrls)  # noqa: B010 - typed as a name, but may be this
        if self.is_async:
            return self._acall(request)
        return self._decorated(request, self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponse:
        return self._decorated(request, await self.get_response(request))

    def _decorated(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if request.path_info == "/teardown-crash":
            handlers.crash()
        response["x-outside"] = "yes"
        return response


class Inside(Outside):
    """A layer inside ours: it notes on each answer who the caller is after the handler."""

    def _decorated(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response["x-handler"] = "yes"
        response["x-middleware-saw"] = handlers.saw()
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The app's own error handler."""
        if isinstance(error, handlers.Deliberate):
            return JsonResponse(handlers.whoami(), status=418)
        return None


def sync_only(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """A middleware that knows no async, so that under ASGI Django runs it in a thread."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return middleware


def _sync(answer: Callable[..., Any]) -> Callable[..., HttpResponse]:

    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        return JsonResponse(answer(**parts))

    return view


def _async(answer: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def view(request: HttpRequest, **parts: str) -> HttpResponse:
        return JsonResponse(await answer(**parts))

    return view


def _streaming(body: Callable[[], Iterator[bytes]]) -> Callable[..., StreamingHttpResponse]:

    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(body())

    return view


def _astreaming(body: Callable[[], AsyncIterator[bytes]]) -> Callable[..., Any]:
    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(body())

    return view


def _upload(request: HttpRequest) -> HttpResponse:
    return JsonResponse(handlers.uploaded(request.body))


def _outlive_stream(request: HttpRequest, key: str) -> StreamingHttpResponse:
    handlers.outlive(key)
    return StreamingHttpResponse(handlers.stream())


async def _aoutlive_stream(request: HttpRequest, key: str) -> StreamingHttpResponse:
    await handlers.aoutlive(key)
    return StreamingHttpResponse(handlers.astream())


def _outlive_endless(request: HttpRequest, key: str) -> StreamingHttpResponse:
    handlers.outlive(key)
    return StreamingHttpResponse(handlers.endless(handlers.LONG))


async def _aoutlive_endless(request: HttpRequest, key: str) -> StreamingHttpResponse:
    await handlers.aoutlive(key)
    return StreamingHttpResponse(handlers.aendless(handlers.LONG))


def _closing(request: HttpRequest, key: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(handlers.closing(key))


def _abort_401(request: HttpRequest) -> HttpResponse:
    # Django has no handler for 401; what an app makes of its own one is a response.
    return JsonResponse({"handled": 401})


_BOTH = [
    re_path(r"^(?:public/)?upload\Z", _upload),
    re_path(r"^raise\Z", _sync(handlers.fail)),
    re_path(r"^crash\Z", _sync(handlers.crash)),
    re_path(r"^upstream-refuses\Z", _sync(handlers.upstream_refuses)),
    re_path(r"^upstream-denies\Z", _sync(handlers.upstream_denies)),
    re_path(r"^upstream-denies-and-more\Z", _sync(handlers.upstream_denies_and_more)),
    re_path(r"^abort-401\Z", _abort_401),
    re_path(r"^threads\Z", _sync(handlers.threads)),
    re_path(r"^forked\Z", _sync(handlers.forked)),
    re_path(r"^texts\Z", _sync(handlers.texts)),
    re_path(r"^logged\Z", _sync(handlers.logged)),
    re_path(r"^slow\Z", _sync(handlers.slow)),
    re_path(r"^abandoned/(?P<key>.+)\Z", _sync(handlers.abandoned)),
]

_SYNC = [
    re_path(r"^(?:public/)?stream\Z", _streaming(handlers.stream)),
    re_path(r"^large\Z", _streaming(handlers.large)),
    re_path(r"^endless\Z", _streaming(handlers.endless)),
    re_path(r"^stream-crash\Z", _streaming(handlers.stream_crash)),
    re_path(r"^acting\Z", _streaming(handlers.acting)),
    re_path(r"^closing/(?P<key>.+)\Z", _closing),
    re_path(r"^outlive/(?P<key>.+)\Z", _sync(handlers.outlive)),
    re_path(r"^take-along/(?P<key>.+)\Z", _sync(handlers.take_along)),
    re_path(r"^outlive-stream/(?P<key>.+)\Z", _outlive_stream),
    re_path(r"^outlive-endless/(?P<key>.+)\Z", _outlive_endless),
    re_path(r"^recorded/(?P<key>.+)\Z", _sync(handlers.recorded)),
    re_path(r"", _sync(handlers.whoami)),
]

_ASYNC = [
    re_path(r"^(?:public/stream|astream)\Z", _astreaming(handlers.astream)),
    # Django reads a sync body to its end before it sends any of it under ASGI.
    re_path(r"^stream\Z", _streaming(handlers.stream)),
    re_path(r"^stream-crash\Z", _astreaming(handlers.astream_crash)),
    re_path(r"^acting\Z", _astreaming(handlers.aacting)),
    re_path(r"^a?endless\Z", _astreaming(handlers.aendless)),
    re_path(r"^a?large\Z", _astreaming(handlers.alarge)),
    re_path(r"^aslow\Z", _async(handlers.aslow)),
    re_path(r"^aabandoned/(?P<key>.+)\Z", _async(handlers.aabandoned)),
    re_path(r"^athreads\Z", _async(handlers.athreads)),
    re_path(r"^outlive/(?P<key>.+)\Z", _async(handlers.aoutlive)),
    re_path(r"^take-along/(?P<key>.+)\Z", _async(handlers.atake_along)),
    re_path(r"^outlive-stream/(?P<key>.+)\Z", _aoutlive_stream),
    re_path(r"^outlive-endless/(?P<key>.+)\Z", _aoutlive_endless),
    re_path(r"^recorded/(?P<key>.+)\Z", _async(handlers.arecorded)),
    re_path(r"", _sync(handlers.whoami)),
]


class SyncUrls:
    """The URLs under WSGI."""

    urlpatterns = _BOTH + _SYNC


class AsyncUrls:
    """The URLs under ASGI."""

    urlpatterns = _BOTH + _ASYNC


def _configure() -> None:
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="conformance",
            ROOT_URLCONF=SyncUrls,
            APPEND_SLASH=False,
        )
        django.setup()


def _build(options: GateOptions, handler: Callable[[], Any], middleware: list[str]) -> Any:
    _configure()
    # The handler reads its settings while it is made, so each may have its own.
    with override_settings(PASSTHROUGH_AUTH=options, MIDDLEWARE=middleware):
        return handler()


# Django's own middleware sets Content-Length, without which waitress ends the connection.
_COMMON = "django.middleware.common.CommonMiddleware"
_ALONE = [f"{_HERE}.Outside", _OURS, f"{_HERE}.Inside", _COMMON]
_BESIDE_SYNC_ONLY = [
    f"{_HERE}.Outside",
    f"{_HERE}.sync_only",
    _OURS,
    f"{_HERE}.sync_only",
    f"{_HERE}.Inside",
    _COMMON,
]


def wsgi(options: GateOptions) -> Any:
    """The conformance app on Django's WSGI handler."""
    return _build(options, WSGIHandler, _ALONE)


def asgi(options: GateOptions) -> Any:
    """The conformance app on Django's ASGI handler, async all the way."""
    return _build(options, ASGIHandler, _ALONE)


def asgi_beside_sync(options: GateOptions) -> Any:
    """The same with a sync-only middleware on either side of ours."""
    return _build(options, ASGIHandler, _BESIDE_SYNC_ONLY)


_ASGI_FEATURES: frozenset[Feature] = frozenset({"async", "sync-stream", "async-stream"})

COLUMNS = (
    Column("Django, WSGI", "wsgi", wsgi, frozenset({"sync-stream"})),
    Column("Django, ASGI", "asgi", asgi, _ASGI_FEATURES),
    Column("Django, ASGI beside sync-only", "asgi", asgi_beside_sync, _ASGI_FEATURES),
)
