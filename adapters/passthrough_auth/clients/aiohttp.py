"""The caller's credentials for aiohttp: sessions that judge every hop.

async with caller_session(Destinations("https://api.example.com")) as session:
    await session.get("https://api.example.com/reports")
"""

from base64 import b64encode
from contextvars import ContextVar, Token
from functools import cache
from types import SimpleNamespace
from typing import Any

from passthrough_auth.core.caller import hand_on_mark, mark_answer
from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.outbound import (
    Destinations,
    Redirects,
    check_destinations,
    keep_first_cookie,
)
from passthrough_auth.optional_import import optional_import

from ._environment import EnvironmentProxy
from ._event_loop import require_running_loop
from ._shared import REFUSED_OPTIONS, check_common_settings, refuse_options

with optional_import("aiohttp"):
    import aiohttp
    from multidict import CIMultiDict
    from yarl import URL

_REFUSED = {**REFUSED_OPTIONS, "cookie_jar": REFUSED_OPTIONS["cookies"]}


def caller_session(
    destinations: Destinations, *, environment_proxies: bool = False, **options: Any
) -> aiohttp.ClientSession:
    """A session that acts as the caller of the request that is being served.

    Make one in each event loop and share it there. It takes the options of
    `aiohttp.ClientSession`; it keeps no cookies and takes no passwords (netrc) from the
    environment. With `environment_proxies`, https goes through the proxy that is named there, as a
    tunnel, unless NO_PROXY has the host. Each call raises the errors of `Destinations.headers_for`,
    before anything is sent, and else those of aiohttp.

    Raises `ConfigurationError` for an option that would lead around the boundary, and
    `RuntimeError` where no event loop runs.
    """
    refuse_options(options, _REFUSED)
    headers = CIMultiDict[str](options.get("headers") or ())
    check_common_settings(options, headers, check_destinations(destinations))
    caller = _CallerMiddleware(destinations, EnvironmentProxy(used=environment_proxies))
    require_running_loop("caller_session(...)")
    app_middlewares = options.pop("middlewares", ())
    response_class = options.pop("response_class", None) or aiohttp.ClientResponse
    app_traces = options.pop("trace_configs", None) or ()
    return aiohttp.ClientSession(
        middlewares=(_begin_hop, *app_middlewares, caller),
        trace_configs=[*app_traces, _trace_of_calls(destinations)],
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=_marking_its_errors(response_class),
        **options,
    )


@cache
def _marking_its_errors(response_class: type[aiohttp.ClientResponse]) -> Any:
    """This class of responses, whose errors say that upstream refused the caller, if it did."""

    class CallerResponse(response_class):  # type: ignore[valid-type, misc]  # given at run time
        def raise_for_status(self) -> None:
            try:
                super().raise_for_status()
            except aiohttp.ClientResponseError as error:
                hand_on_mark(self, error)
                raise

    return CallerResponse


class _Call:
    """One call of a session: the history of its hops, and the headers that it began with."""

    __slots__ = (
        "_first_authorization",
        "_first_cookie",
        "_has_plain_url",
        "redirects",
        "session",
    )

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.redirects: Redirects | None = None
        self._first_authorization: str | None = None
        self._first_cookie: str | None = None
        self._has_plain_url = False

    def begin_hop(self, request: aiohttp.ClientRequest) -> None:
        """Look at a hop as aiohttp has made it, before the app's middlewares set any header.

        If the Location had a user name and password, aiohttp has taken them off the URL and made
        an Authorization header of them. In some releases it also adds the cookies of the response
        before, without a jar.
        """
        authorization = request.headers.get("authorization")
        if self._first_cookie is None:  # the first hop
            self._first_authorization = authorization
        self._has_plain_url = authorization in (None, self._first_authorization)
        self._first_cookie = keep_first_cookie(request.headers, self._first_cookie)

    def url_of(self, request: aiohttp.ClientRequest) -> str:
        """The URL of this hop, or "" if its Location had, or may have had, a user name."""
        return str(request.url) if self._has_plain_url else ""


_current_call: ContextVar[_Call | None] = ContextVar("passthrough_auth_aiohttp_call", default=None)


def _call_of(request: aiohttp.ClientRequest) -> _Call:
    """The call that this hop belongs to."""
    call = _current_call.get()
    if call is None or call.session is not request.session:
        raise ConfigurationError(
            "a middleware called its handler in another context than that of the call, so the call "
            "can't be recognised. Await the handler, or leave the context to asyncio.create_task"
        )
    return call


async def _begin_hop(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The first middleware of a session. It runs once a hop, however often the app's try it."""
    _call_of(request).begin_hop(request)
    return await handler(request)


class _CallerMiddleware:
    """The last middleware of a session. It sends each hop with the credentials for its origin.

    By itself it is of no use: another session would not say which hops are of one call, and would
    keep one caller's cookies for the next.
    """

    def __init__(self, destinations: Destinations, environment: EnvironmentProxy) -> None:
        self._destinations = destinations
        self._environment = environment

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        call = _call_of(request)
        redirects = self._destinations.carry(
            call.url_of(request),
            request.headers,
            call.redirects,
            proxied=request.proxy is not None,
        )
        # A Cookie that a middleware of the app sets on a later try is the app's own: any other was
        # removed when the hop began.
        call.redirects = redirects._replace(cookie=None)
        if request.proxy is None and self._environment.leads_to(str(request.url)):
            _lead_through(URL(self._environment.url), request)
        try:
            response = await handler(request)
            if redirects.added:
                mark_answer(response, response.status)
            return response
        finally:
            # They have been sent. Errors raised later show the headers that are here then.
            for name in redirects.added:
                del request.headers[name]


def _lead_through(proxy: URL, request: aiohttp.ClientRequest) -> None:
    """Send this hop through a proxy. Its password is kept out of the URL, which errors show."""
    request.proxy = proxy.with_user(None)
    if proxy.user is not None:
        login = b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode("ascii")
        request.proxy_headers = CIMultiDict({"Proxy-Authorization": f"Basic {login}"})


def _trace_of_calls(destinations: Destinations) -> aiohttp.TraceConfig:
    """Marks where a call begins and ends, as a middleware alone sees single hops.

    Traces are awaited in the task of the call, so that a context variable set here is read there.
    """

    async def begin(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestStartParams,
    ) -> None:
        # Here the URL still has its user name, which aiohttp would send in place of the caller's.
        destinations.check(str(params.url))
        context.token = _current_call.set(_Call(session))

    async def end(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        token: Token[_Call | None] = context.token
        _current_call.reset(token)

    async def connect(session: aiohttp.ClientSession, _context: Any, _params: Any) -> None:
        # `middlewares=` on one call takes the place of the session's, with ours among them.
        call = _current_call.get()
        if call is not None and call.session is session and call.redirects is None:
            raise ConfigurationError(
                "middlewares= on one call would send it without its caller: give them to "
                "caller_session(...)"
            )

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begin)
    trace.on_connection_create_start.append(connect)
    trace.on_connection_reuseconn.append(connect)
    trace.on_request_end.append(end)
    trace.on_request_exception.append(end)
    return trace
