"""Telling a request that another site made a browser send (CSRF) from the app's own.

Follows Fetch Metadata (Sec-Fetch-Site) and, for browsers without it, compares Origin with Host.
A client that sends neither is no browser, and nothing can be attached to its requests by itself.
"""

from collections.abc import Iterable, Sequence

from .checking import checked_collection
from .errors import ConfigurationError
from .origin import Origin, origin_alone, origin_of
from .request import Request

# RFC 9110 section 9.2.1. Methods are case-sensitive: "get" is not one of these.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def check_trusted_origins(origins: Iterable[str]) -> frozenset[Origin]:
    """The origins that these texts name, or `ConfigurationError`."""
    return frozenset(
        map(_checked, checked_collection("trusted_origins", origins, "{'https://a.example'}"))
    )


def is_state_changing(request: Request) -> bool:
    """Whether another site could do harm by having this request sent with the user's cookies.

    A WebSocket handshake always counts: its response can be read by the page that made it. WSGI
    has no word for one, and servers let apps take over the connection of what looks like a GET.
    """
    return (
        request.method not in _SAFE_METHODS
        or request.transport == "websocket"
        or any("websocket" in line.lower() for line in request.lines("upgrade"))
    )


def is_cross_site(request: Request, trusted_origins: frozenset[Origin]) -> bool:
    """Whether the browser says, or can't rule out, that a page of another origin sent this."""
    origins = request.lines("origin")
    origin = origin_alone(origins[0]) if len(origins) == 1 else None
    if origin in trusted_origins:
        return False
    sites = request.lines("sec-fetch-site")
    if sites:
        return list(sites) not in (["same-origin"], ["none"])
    if not origins:
        return False
    return origin is None or not _is_own(origin, request.lines("host"))


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight: OPTIONS with both of the headers only a browser sets."""
    return (
        request.method == "OPTIONS"
        and request.transport == "http"
        and bool(request.lines("origin"))
        and bool(request.lines("access-control-request-method"))
    )


def _is_own(origin: Origin, hosts: Sequence[str]) -> bool:
    # The scheme isn't compared: behind a proxy that ends TLS the app doesn't know its own.
    return len(hosts) == 1 and origin_alone(f"{origin.scheme}://{hosts[0]}") == origin


def _checked(text: object) -> Origin:
    given = text if isinstance(text, str) else ""
    origin = origin_alone(given)
    if origin is None:
        raise ConfigurationError(
            f"{text!r} is not an http or https origin. Write scheme, host and, if unusual, port, "
            f"without a path or a wildcard: '{_meant(given) or 'https://admin.example.com'}'"
        )
    return origin


def _meant(text: str) -> Origin | None:
    """The origin within a URL, or of a host alone."""
    if "://" in text or not any(mark in text for mark in ".:"):
        return origin_of(text)
    return origin_of(f"{'http' if text.startswith(('localhost', '127.')) else 'https'}://{text}")
