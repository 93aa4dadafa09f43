"""The caller's credentials for httpx: a transport that sees every hop, and clients made with it.

client = caller_client(Destinations("https://api.example.com"))
client.get("https://api.example.com/reports")
"""

from typing import Any

from passthrough_auth.core import Destinations, requires_extra

from ._httpx_family import Carrier, checked_transport, is_proxied, take_transport_options
from ._shared import NoCookies, Shared, check_shared

with requires_extra("httpx"):
    import httpx


class CallerTransport(httpx.BaseTransport):
    """Sends each hop with what of the caller's may travel to its origin, through `transport`.

    `caller_client` makes a client with it. In a client of your own it takes Set-Cookie off
    responses, because that client's cookie jar is shared by all callers, unless
    `shared_jar=False` says that it has none. `proxied` says whether `transport` leads through a
    proxy, which may not see credentials: they go by https only, unless it is False.
    """

    def __init__(
        self,
        destinations: Destinations,
        transport: httpx.BaseTransport | None = None,
        *,
        proxied: bool | None = None,
        shared_jar: bool = True,
    ) -> None:
        leads = is_proxied(transport, proxied)
        self._carrier = Carrier(destinations, proxied=leads, shared_jar=shared_jar)
        inner = httpx.HTTPTransport() if transport is None else transport
        self._transport = checked_transport(inner, httpx.BaseTransport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(self._carrier.outgoing(request))
        self._carrier.incoming(response.headers)
        return response

    def close(self) -> None:
        self._transport.close()


class AsyncCallerTransport(httpx.AsyncBaseTransport):
    """`CallerTransport`, for `httpx.AsyncClient`."""

    def __init__(
        self,
        destinations: Destinations,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        proxied: bool | None = None,
        shared_jar: bool = True,
    ) -> None:
        leads = is_proxied(transport, proxied)
        self._carrier = Carrier(destinations, proxied=leads, shared_jar=shared_jar)
        inner = httpx.AsyncHTTPTransport() if transport is None else transport
        self._transport = checked_transport(inner, httpx.AsyncBaseTransport)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(self._carrier.outgoing(request))
        self._carrier.incoming(response.headers)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Client(Shared, httpx.Client):
    """What `caller_client` makes."""


class _AsyncClient(Shared, httpx.AsyncClient):
    """What `async_caller_client` makes."""


def caller_client(
    destinations: Destinations,
    *,
    transport: httpx.BaseTransport | None = None,
    proxied: bool | None = None,
    **options: Any,
) -> httpx.Client:
    """A client that acts as the caller of whichever request is being served.

    Make one and share it. It takes the options of `httpx.Client` and of `httpx.HTTPTransport`; it
    keeps no cookies and takes neither proxies nor passwords from the environment. Each call raises
    what `Destinations.headers_for` raises, before anything is sent, and else what httpx raises.

    A `transport` of your own takes the place of `httpx.HTTPTransport` and has its options itself.
    Whether it leads through a proxy, say with `proxied`: plain http is refused unless it is False.

    Raises `ConfigurationError` for an option that would lead around the boundary.
    """
    own = take_transport_options(options, transport)
    leads = is_proxied(transport, proxied, own.get("proxy"))
    inner = httpx.HTTPTransport(**own) if transport is None else transport
    carrying = CallerTransport(destinations, inner, proxied=leads, shared_jar=False)
    check_shared(options, httpx.Headers(options.get("headers")), destinations)
    return _Client(transport=carrying, cookies=NoCookies(), trust_env=False, **options)


def async_caller_client(
    destinations: Destinations,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    proxied: bool | None = None,
    **options: Any,
) -> httpx.AsyncClient:
    """`caller_client`, asynchronous. It belongs to the event loop that it is first used in."""
    own = take_transport_options(options, transport)
    leads = is_proxied(transport, proxied, own.get("proxy"))
    inner = httpx.AsyncHTTPTransport(**own) if transport is None else transport
    carrying = AsyncCallerTransport(destinations, inner, proxied=leads, shared_jar=False)
    check_shared(options, httpx.Headers(options.get("headers")), destinations)
    return _AsyncClient(transport=carrying, cookies=NoCookies(), trust_env=False, **options)
