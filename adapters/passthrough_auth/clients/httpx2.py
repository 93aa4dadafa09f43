"""The caller's credentials for httpx2: a transport that sees every hop, and clients made with it.

client = caller_client(Destinations("https://api.example.com"))
client.get("https://api.example.com/reports")
"""

from passthrough_auth.optional_import import optional_import

from ._httpx_family import AsyncTransportBase, ClientFactory, SyncTransportBase
from ._shared import SharedClient

with optional_import("httpx2"):
    import httpx2


class CallerTransport(
    SyncTransportBase[httpx2.Request, httpx2.Response, httpx2.BaseTransport], httpx2.BaseTransport
):
    """Sends each hop with the caller's credentials for its origin, through `transport`.

    For a client of your own: `httpx2.Client(transport=CallerTransport(destinations))`.
    """

    library = "httpx2"
    base_class = httpx2.BaseTransport
    default_class = httpx2.HTTPTransport


class AsyncCallerTransport(
    AsyncTransportBase[httpx2.Request, httpx2.Response, httpx2.AsyncBaseTransport],
    httpx2.AsyncBaseTransport,
):
    """`CallerTransport`, for an `httpx2.AsyncClient`."""

    library = "httpx2"
    base_class = httpx2.AsyncBaseTransport
    default_class = httpx2.AsyncHTTPTransport


class _Client(SharedClient, httpx2.Client):
    """Made by `caller_client`."""


class _AsyncClient(SharedClient, httpx2.AsyncClient):
    """Made by `async_caller_client`."""


_sync: ClientFactory[httpx2.Client, httpx2.BaseTransport]
_sync = ClientFactory(_Client, CallerTransport, httpx2.Headers)
_async: ClientFactory[httpx2.AsyncClient, httpx2.AsyncBaseTransport]
_async = ClientFactory(_AsyncClient, AsyncCallerTransport, httpx2.Headers)

caller_client = _sync.caller_client
async_caller_client = _async.caller_client
