"""The caller's credentials for httpx: a transport that sees every hop, and clients made with it.

client = caller_client(Destinations("https://api.example.com"))
client.get("https://api.example.com/reports")
"""

from passthrough_auth.optional_import import optional_import

from ._httpx_family import AsyncTransportBase, ClientFactory, SyncTransportBase
from ._shared import SharedClient

with optional_import("httpx"):
    import httpx


class CallerTransport(
    SyncTransportBase[httpx.Request, httpx.Response, httpx.BaseTransport], httpx.BaseTransport
):
    """Sends each hop with the caller's credentials for its origin, through `transport`.

    For a client of your own: `httpx.Client(transport=CallerTransport(destinations))`.
    """

    library = "httpx"
    base_class = httpx.BaseTransport
    default_class = httpx.HTTPTransport


class AsyncCallerTransport(
    AsyncTransportBase[httpx.Request, httpx.Response, httpx.AsyncBaseTransport],
    httpx.AsyncBaseTransport,
):
    """`CallerTransport`, for an `httpx.AsyncClient`."""

    library = "httpx"
    base_class = httpx.AsyncBaseTransport
    default_class = httpx.AsyncHTTPTransport


class _Client(SharedClient, httpx.Client):
    """Made by `caller_client`."""


class _AsyncClient(SharedClient, httpx.AsyncClient):
    """Made by `async_caller_client`."""


_sync: ClientFactory[httpx.Client, httpx.BaseTransport]
_sync = ClientFactory(_Client, CallerTransport, httpx.Headers)
_async: ClientFactory[httpx.AsyncClient, httpx.AsyncBaseTransport]
_async = ClientFactory(_AsyncClient, AsyncCallerTransport, httpx.Headers)

caller_client = _sync.caller_client
async_caller_client = _async.caller_client
