"""The caller's credentials for aiohttp: sessions that judge every hop.

async with caller_session(Destinations("https://api.example.com")) as session:
    await session.get("https://api.example.com/reports")
"""

from contextvars import ContextVar, Token
from types import SimpleNamespace
from typing import Any

from passthrough_auth.core import (
    ConfigurationError,
    Destinations,
    Trail,
    check_destinations,
    keep_first_cookie,
    requires_extra,
)

from ._event_loop import require_running_loop
from ._shared import INSTEAD, check_shared, refuse_options

with requires_extra("aiohttp"):
    import aiohttp
    from multidict import CIMultiDict

_REFUSED = {**INSTEAD, "cookie_jar": INSTEAD["cookies"]}


def caller_session(destinations: Destinations, **options: Any) -> aiohttp.ClientSession:
    """A session that acts as the caller of whichever request is being served.

    Make one in each event loop and share it there. It takes the options of
    `aiohttp.ClientSession`; it keeps no cookies and takes neither proxies nor passwords (netrc)
    from the environment. Each call raises what `Destinations.headers_for` raises, before anything
    is sent, and else what aiohttp raises.

    Raises `ConfigurationError` for an option that would lead around the boundary, and
    `RuntimeError` where no event loop runs.
    """
    refuse_options(options, _REFUSED)
    headers = CIMultiDict[str](options.get("headers") or ())
    check_shared(options, headers, check_destinations(destinations))
    require_running_loop("caller_session(...)")
    given = options.pop("middlewares", ())
    middlewares = (_begin_hop, *given, _CallerMiddleware(destinations))
    traces = [*(options.pop("trace_configs", None) or ()), _calls_of(destinations)]
    return aiohttp.ClientSession(
        middlewares=middlewares,
        trace_configs=traces,
        cookie_jar=aiohttp.DummyCookieJar(),
        **options,
    )


class _CallerMiddleware:
    """The last of a session's middlewares: sends each hop with what may travel to its origin.

    It is of no use in a session of anybody else's, which would not tell it which hops are of one
    call, and whose cookie jar would carry one caller's cookies along with the next.
    """

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        call = _call_of(request)
        hop = self._destinations.hop(call.url_of(request), call.trail)
        if hop.add and request.proxy is not None:
            self._destinations.refuse_plain_proxy(str(request.url))
        added = hop.apply(request.headers)
        # What a middleware of the app sets on a later try is the app's own: any other Cookie was
        # taken away before it saw the hop.
        call.trail = hop.trail._replace(cookie=None)
        try:
            return await handler(request)
        finally:
            # They have been sent. Errors raised later show the headers that are here then.
            for name in added:
                del request.headers[name]


class _Call:
    """One call of a session: the trail of its hops, and what it began with."""

    __slots__ = ("_authorization", "_cookie", "_is_plain", "session", "trail")

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.trail: Trail | None = None
        self._authorization: str | None = None
        self._cookie: str | None = None
        self._is_plain = False

    def begin_hop(self, request: aiohttp.ClientRequest) -> None:
        """Look at a hop as aiohttp has made it: the app's middlewares may set what they like.

        If the Location had a user name and password, aiohttp has taken them off the URL and made
        an Authorization header of them. In some releases it also adds the cookies of the response
        before, without a jar.
        """
        authorization = request.headers.get("authorization")
        if self._cookie is None:  # the first hop
            self._authorization = authorization
        self._is_plain = authorization in (None, self._authorization)
        self._cookie = keep_first_cookie(request.headers, self._cookie)

    def url_of(self, request: aiohttp.ClientRequest) -> str:
        """The URL of this hop, or "" if its Location had, or may have had, a user name."""
        return str(request.url) if self._is_plain else ""


_call: ContextVar[_Call | None] = ContextVar("passthrough_auth_aiohttp_call", default=None)


def _call_of(request: aiohttp.ClientRequest) -> _Call:
    """The call that this hop belongs to."""
    call = _call.get()
    if call is None or call.session is not request.session:
        raise ConfigurationError(
            "a middleware has called its handler in another context than the call's, where nobody "
            "knows which call this is. Await it, or leave the context to asyncio.create_task"
        )
    return call


async def _begin_hop(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The first of a session's middlewares: called once a hop, however often the app's try it."""
    _call_of(request).begin_hop(request)
    return await handler(request)


def _calls_of(destinations: Destinations) -> aiohttp.TraceConfig:
    """Tells where a call begins and ends: a middleware alone sees single hops.

    Traces are awaited in the task of the call, so that a context variable set here is read there.
    """

    async def begin(
        session: aiohttp.ClientSession,
        context: SimpleNamespace,
        params: aiohttp.TraceRequestStartParams,
    ) -> None:
        # Here the URL still has its user name, which aiohttp would send in place of the caller's.
        destinations.check(str(params.url))
        context.token = _call.set(_Call(session))

    async def end(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        token: Token[_Call | None] = context.token
        _call.reset(token)

    async def connect(session: aiohttp.ClientSession, _context: Any, _params: Any) -> None:
        # Where `middlewares=` on one call takes the place of the session's, with ours among them.
        call = _call.get()
        if call is not None and call.session is session and call.trail is None:
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
