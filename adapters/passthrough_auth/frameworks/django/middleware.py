"""The middleware, sync and async. Neither mode runs code in a thread of the other one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Container
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from http.cookies import CookieError, Morsel
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from passthrough_auth.core.caller import AsyncBodyInContext, BodyInContext, CallerScope
from passthrough_auth.core.inbound import Refusal

from .conf import gate_from_settings
from .requests import as_request

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class PassthroughAuthMiddleware:
    """Serves each request as the caller who sent it, and refuses requests without credentials.

    Configure it with settings.PASSTHROUGH_AUTH, a dict of the options of
    `passthrough_auth.core.inbound.Gate`. Functions may be dotted paths. A wrong option raises
    `ConfigurationError` at start-up, which is also Django's `ImproperlyConfigured`.

    The caller is visible (`current_credentials()`) in the middleware after this one, views,
    exception handlers and every piece of a streamed body, sync and async.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.gate = gate_from_settings()
        # asgiref's, because on Python 3.11 the standard one doesn't recognise Django's own marks.
        self._is_async = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._acall(request)
        admission = self.gate.admit(as_request(request))
        try:
            with admission.active():
                if admission.refusal is not None:
                    response: HttpResponseBase = _response(request, admission.refusal)
                else:
                    response = cast("HttpResponseBase", self.get_response(request))
                return _carrying(response, admission)
        except BaseException:
            admission.close()
            raise

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        admission = self.gate.admit(as_request(request))
        try:
            with admission.active():
                if admission.refusal is not None:
                    response: HttpResponseBase = _response(request, admission.refusal)
                else:
                    response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
                return _carrying(response, admission)
        except BaseException:
            admission.close()
            raise

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer for a view whose upstream refused the caller. Called by Django."""
        refusal = self.gate.refusal_for(as_request(request), exception)
        return None if refusal is None else _response(request, refusal)


def _carrying(response: HttpResponseBase, scope: CallerScope) -> HttpResponseBase:
    """The response. If its body is streamed, the body keeps the scope until it is closed.

    Any other body is complete, and so is a file: no more code of the app runs for it.
    """
    if not isinstance(response, StreamingHttpResponse) or _is_file(response):
        scope.close()
        return response
    body = response.streaming_content
    if isinstance(body, AsyncIterator):
        response.streaming_content = AsyncBodyInContext(body, scope)
        return response
    run = copy_context().run
    response.streaming_content = BodyInContext(body, run, scope.close)
    # Django itself closes the view's own stream, before this replacement of it. The cast is needed
    # because types don't allow a method on a single object.
    cast("Any", response).close = partial(run, response.close)
    return response


def _is_file(response: StreamingHttpResponse) -> bool:
    return getattr(response, "file_to_stream", None) is not None


def _response(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in refusal.headers:
        if name == "set-cookie":
            cookies.append(value)
        else:
            # Django has one value for each name. A list is equivalent (RFC 9110 section 5.3).
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = refusal.body_for(request.method or "")
    response = HttpResponse(body, status=refusal.status, headers=headers)
    for number, line in enumerate(cookies):
        cookie = _SetCookie(line)
        key = cookie.key if cookie.key not in response.cookies else f"{cookie.key} {number}"
        response.cookies.update({key: cookie})  # set_cookie and item assignment take only text
    return response


class _SetCookie(Morsel[Any]):
    """A Set-Cookie line exactly as it was written.

    Django would parse the line, and lose unknown attributes and all but one cookie of each name.
    This class parses it only for middleware and the test client, which read cookies.
    """

    def __init__(self, line: str) -> None:
        super().__init__()
        self._line = line
        pairs = [part.partition("=") for part in line.split(";")]
        (name, _, value), *attributes = [(n.strip(), e, v.strip()) for n, e, v in pairs]
        with suppress(CookieError):
            self.set(name, value, value)
        for name, equals, value in attributes:
            if self.isReservedKey(name):
                self[name] = value if equals else True

    # Django never passes `attrs`, which would select some of the attributes.
    def OutputString(self, attrs: Container[str] | None = None) -> str:  # noqa: ARG002, N802 - http.cookies' names
        return self._line
