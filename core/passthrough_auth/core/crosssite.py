"""Telling a request that another site made a browser send (CSRF) from the app's own.

Follows Fetch Metadata (Sec-Fetch-Site) and, for browsers without it, compares Origin with Host.
A client that sends neither is no browser, and nothing can be attached to its requests by itself.
"""

import re
from collections.abc import Iterable

from .errors import ConfigurationError
from .request import Request

# RFC 9110 section 9.2.1. Methods are case-sensitive: "get" is not one of these.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def check_trusted_origins(origins: Iterable[str]) -> frozenset[str]:
    """The origins in the form browsers send them, or `ConfigurationError`."""
    if isinstance(origins, str | bytes) or not isinstance(origins, Iterable):
        raise ConfigurationError(
            f"trusted_origins takes a collection such as {{'https://a.example'}}, not {origins!r}"
        )
    return frozenset(_checked(origin) for origin in origins)


def is_state_changing(request: Request) -> bool:
    """Whether another site could do harm by having this request sent with the user's cookies.

    A WebSocket handshake always counts: its response can be read by the page that made it.
    """
    return request.transport == "websocket" or request.method not in _SAFE_METHODS


def is_cross_site(request: Request, trusted_origins: frozenset[str]) -> bool:
    """Whether the browser says, or can't rule out, that a page of another origin sent this."""
    origins = request.lines("origin")
    if len(origins) == 1 and origins[0].lower() in trusted_origins:
        return False
    sites = request.lines("sec-fetch-site")
    if sites:
        return list(sites) not in (["same-origin"], ["none"])
    if not origins:
        return False
    return len(origins) > 1 or not _is_own(origins[0], request.lines("host"))


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight: OPTIONS with both of the headers only a browser sets."""
    return (
        request.method == "OPTIONS"
        and request.transport == "http"
        and bool(request.lines("origin"))
        and bool(request.lines("access-control-request-method"))
    )


def _is_own(origin: str, hosts: Iterable[str]) -> bool:
    parsed = _ORIGIN.fullmatch(origin.lower())
    hosts = [host.lower() for host in hosts]
    if parsed is None or len(hosts) != 1:
        return False
    # The scheme isn't compared: behind a proxy that ends TLS the app doesn't know its own.
    scheme, name, port = parsed.groups()
    default = _DEFAULT_PORTS[scheme]
    spellings = {f"{name}:{port or default}"}
    if port in (None, default):
        spellings.add(name)
    return hosts[0] in spellings


def _checked(origin: object) -> str:
    parsed = _ORIGIN.fullmatch(origin.lower()) if isinstance(origin, str) else None
    if parsed is None or int(parsed[3] or 1) not in range(1, 65536):
        raise ConfigurationError(
            f"{origin!r} is not an origin. Write scheme, host and, if unusual, port, without a "
            "path: 'https://admin.example.com'"
        )
    scheme, name, port = parsed.groups()
    if port is None or port == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{name}"
    return f"{scheme}://{name}:{port}"
