"""The conformance app on Django: WSGI, ASGI, and ASGI with a sync-only middleware beside ours."""

from functools import partial
from inspect import isasyncgenfunction

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse, StreamingHttpResponse
from django.test.utils import override_settings
from django.urls import re_path

from passthrough_auth.testing.conformance import Column, Deliberate, handlers, routes, whoami

SYNC = frozenset({"sync-stream"})
ASYNC = frozenset({"async", "async-stream", "sync-stream"})
# Under ASGI, Django reads a sync body to its end before it sends any of it.
INSTEAD = {
    handlers.stream_crash: handlers.astream_crash,
    handlers.endless: handlers.aendless,
    handlers.large: handlers.alarge,
}


class Outside:
    """A layer outside ours, sync and async. It adds a header, and fails after /teardown-crash."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response):
        self.get_response = get_response
        # Django uses asgiref's function on every Python.
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request):
        # One process serves both interfaces, and their apps have different URLs.
        if isinstance(request, ASGIRequest):
            request.urlconf = AsyncUrls
        if self.is_async:
            return self.acall(request)
        return self.decorated(request, self.get_response(request))

    async def acall(self, request):
        return self.decorated(request, await self.get_response(request))

    def decorated(self, request, response):
        if request.path_info == "/teardown-crash":
            handlers.crash()
        response["x-outside"] = "yes"
        return response


class Inside(Outside):
    """A layer inside ours. It adds a header to each answer that says who the caller is."""

    def decorated(self, request, response):
        response["x-handler"] = "yes"
        response["x-middleware-saw"] = handlers.saw()
        return response

    def process_exception(self, request, error):
        """The app's own error handler."""
        return JsonResponse(whoami(), status=418) if isinstance(error, Deliberate) else None


def sync_only(get_response):
    """A sync-only middleware. Under ASGI, Django runs it in a thread."""

    def middleware(request):
        return get_response(request)

    return middleware


def view(route, answer):
    respond = StreamingHttpResponse if route.streams else JsonResponse

    def sync_view(request, **parts):
        body = {"body": request.body} if route.reads else {}
        return respond(answer(**parts, **body))

    async def async_view(request, **parts):
        found = answer(**parts)
        return respond(found if isasyncgenfunction(answer) else await found)

    is_async = iscoroutinefunction(answer) or isasyncgenfunction(answer)
    return async_view if is_async else sync_view


def abort_401(request):
    # Django has no handler for 401. An app returns such a response itself.
    return JsonResponse({"handled": 401})


def urls(interface, offers, instead):
    yield re_path(r"^abort-401\Z", abort_401)
    for route in routes(interface, offers):
        path = route.path.removeprefix("/").format(key="(?P<key>.+)", rest="(?s:.*)")
        yield re_path(rf"^{path}\Z", view(route, instead.get(route.answer, route.answer)))


class SyncUrls:
    """The URLs under WSGI."""

    urlpatterns = tuple(urls("wsgi", SYNC, {}))


class AsyncUrls:
    """The URLs under ASGI."""

    urlpatterns = tuple(urls("asgi", ASYNC, INSTEAD))


def configure():
    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="conformance",
            ROOT_URLCONF=SyncUrls,
            APPEND_SLASH=False,
        )
        django.setup()


# CommonMiddleware sets Content-Length. Without it, waitress closes the connection.
INNERMOST = [f"{__name__}.Inside", "django.middleware.common.CommonMiddleware"]
OURS = "passthrough_auth.frameworks.django.PassthroughAuthMiddleware"
ALONE = [f"{__name__}.Outside", OURS, *INNERMOST]
SYNC_ONLY = f"{__name__}.sync_only"
BESIDE_SYNC_ONLY = [f"{__name__}.Outside", SYNC_ONLY, OURS, SYNC_ONLY, *INNERMOST]


def build(handler, middleware, options):
    configure()
    # Each handler can have its own settings, because it reads them when it is made.
    with override_settings(PASSTHROUGH_AUTH=options, MIDDLEWARE=middleware):
        return handler()


wsgi = partial(build, WSGIHandler, ALONE)
asgi = partial(build, ASGIHandler, ALONE)
asgi_beside_sync = partial(build, ASGIHandler, BESIDE_SYNC_ONLY)

COLUMNS = [
    Column("Django, WSGI", "wsgi", wsgi, SYNC),
    Column("Django, ASGI", "asgi", asgi, ASYNC),
    Column("Django, ASGI beside sync-only", "asgi", asgi_beside_sync, ASYNC),
]
