"""The address to which each client library would connect for a URL, by its own code.

A reader returns scheme, host and port, or None if the library refuses the URL. Each uses the code
of the library's own calls, because its URL type may say another host than the one it connects to.
"""

from collections.abc import Callable
from http.client import HTTPConnection, InvalidURL
from urllib.parse import urlsplit
from urllib.request import Request as UrllibRequest

import ada_url
import httpx
import httpx2
import requests
import urllib3
import yarl
from requests.adapters import HTTPAdapter
from tests.fuzz.model import Address, normal

Reader = Callable[[str], Address | None]

_SCHEMES = ("http", "https", "ws", "wss")
_HTTP_ONLY = ("http", "https")


def _address(
    schemes: tuple[str, ...], scheme: str, host: str | None, port: int | None
) -> Address | None:
    if scheme.lower() not in schemes or not host:
        return None
    return normal(scheme, host, port)


def by_httpx(url: str) -> Address | None:
    """The address that httpcore gets: `raw_host` of the URL, which is in ASCII."""
    try:
        read = httpx.URL(url)
        return _address(_SCHEMES, read.scheme, read.raw_host.decode("ascii"), read.port)
    except (httpx.InvalidURL, ValueError):
        return None


def by_httpx2(url: str) -> Address | None:
    """The same for httpx2."""
    try:
        read = httpx2.URL(url)
        return _address(_SCHEMES, read.scheme, read.raw_host.decode("ascii"), read.port)
    except (httpx2.InvalidURL, ValueError):
        return None


_adapter = HTTPAdapter()


def by_requests(url: str) -> Address | None:
    """The pool of urllib3 that its adapter chooses for the prepared URL."""
    try:
        prepared = requests.Request("GET", url).prepare()
        if not (prepared.url or "").lower().startswith(("http://", "https://")):
            return None
        pool = _adapter.get_connection_with_tls_context(prepared, verify=True)
    except (requests.RequestException, ValueError):
        return None
    return _address(_HTTP_ONLY, pool.scheme or "", pool.host, pool.port)


def by_urllib3(url: str) -> Address | None:
    """The address to which its pool manager connects."""
    try:
        read = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return None
    return _address(_HTTP_ONLY, read.scheme or "", read.host, read.port)


# yarl 1.25.1 raises IndexError for `http://@[`.
_YARL_RAISES = (ValueError, IndexError)


def by_aiohttp(url: str) -> Address | None:
    """The address to which its connector connects: `raw_host` of yarl's URL."""
    try:
        read = yarl.URL(url)
        return _address(_SCHEMES, read.scheme, read.raw_host, read.port)
    except _YARL_RAISES:
        return None


class _Tls(HTTPConnection):
    """Parses host and port as `HTTPSConnection` does, without loading certificates."""

    default_port = 443


def by_urllib(url: str) -> Address | None:
    """The address that http.client reads from the host that urllib.request passes."""
    try:
        request = UrllibRequest(url)  # noqa: S310 - it is never opened
        if not request.host:
            return None
        kind = _Tls if request.type == "https" else HTTPConnection
        connection = kind(request.host)
    except (ValueError, InvalidURL):
        return None
    return _address(_HTTP_ONLY, request.type, connection.host, connection.port)


def by_urlsplit(url: str) -> Address | None:
    """The address to which code connects that splits a URL itself."""
    try:
        read = urlsplit(url)
        return _address(_SCHEMES, read.scheme, read.hostname, read.port)
    except ValueError:
        return None


def by_whatwg(url: str) -> Address | None:
    """The address to which browsers, Node and clients in Rust connect (the URL standard)."""
    try:
        read = ada_url.URL(url)
    except ValueError:
        return None
    port = int(read.port) if read.port else None
    return _address(_SCHEMES, read.protocol.removesuffix(":"), read.hostname, port)


READERS: tuple[Reader, ...] = (
    by_httpx,
    by_httpx2,
    by_requests,
    by_urllib3,
    by_aiohttp,
    by_urllib,
    by_urlsplit,
    by_whatwg,
)


def judged_by_httpx(url: str) -> str | None:
    """The text that the transport of `passthrough_auth.clients.httpx` checks for this URL."""
    try:
        return str(httpx.URL(url))
    except (httpx.InvalidURL, ValueError):
        return None


def judged_by_httpx2(url: str) -> str | None:
    """The same for `passthrough_auth.clients.httpx2`."""
    try:
        return str(httpx2.URL(url))
    except (httpx2.InvalidURL, ValueError):
        return None


def judged_by_requests(url: str) -> str | None:
    """The text that the session of `passthrough_auth.clients.requests` checks."""
    try:
        return requests.Request("GET", url).prepare().url
    except (requests.RequestException, ValueError):
        return None


def judged_by_aiohttp(url: str) -> str | None:
    """The text that the middleware of `passthrough_auth.clients.aiohttp` checks.

    aiohttp has then removed a user name from it. The middleware detects that in another way.
    """
    try:
        return str(yarl.URL(url))
    except _YARL_RAISES:
        return None


JUDGED: tuple[tuple[Callable[[str], str | None], Reader], ...] = (
    (judged_by_httpx, by_httpx),
    (judged_by_httpx2, by_httpx2),
    (judged_by_requests, by_requests),
    (judged_by_aiohttp, by_aiohttp),
)
