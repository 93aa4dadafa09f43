"""Recognises requests that another site made a browser send (CSRF).

Uses Fetch Metadata (Sec-Fetch-Site) and, for browsers without it, compares Origin with Host. A
client that sends neither is not a browser, so its requests have no credentials that were attached
automatically.
"""

from collections.abc import Iterable, Sequence

from passthrough_auth.core._checking import checked_collection
from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.origin import Origin, origin_alone, origin_of, redacted

from ._request import Request

# RFC 9110 section 9.2.1. Methods are case-sensitive: "get" is not one of these.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def checked_origins(origins: Iterable[str]) -> frozenset[Origin]:
    """The origins in these texts. Raises `ConfigurationError` for a text that isn't an origin."""
    return frozenset(
        map(
            _checked_origin, checked_collection("trusted_origins", origins, "{'https://a.example'}")
        )
    )


def is_state_changing(request: Request) -> bool:
    """Whether another site could do harm with this request, if the user's browser sends it.

    A WebSocket handshake always counts, because the page that opened it can read the messages. In
    WSGI it is a GET like any other, and servers let apps take over the connection.
    """
    return (
        request.method not in _SAFE_METHODS
        or request.transport == "websocket"
        or any("websocket" in line.lower() for line in request.lines("upgrade"))
    )


def is_cross_site(request: Request, trusted_origins: frozenset[Origin]) -> bool:
    """Whether a page of another origin sent this, or may have, according to the browser."""
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
    """Whether this is a CORS preflight: OPTIONS with the two headers that only a browser sets."""
    return (
        request.method == "OPTIONS"
        and request.transport == "http"
        and bool(request.lines("origin"))
        and bool(request.lines("access-control-request-method"))
    )


def _is_own(origin: Origin, hosts: Sequence[str]) -> bool:
    # The scheme isn't compared: after a proxy that ends TLS, the app doesn't know its scheme.
    return len(hosts) == 1 and origin_alone(f"{origin.scheme}://{hosts[0]}") == origin


def _checked_origin(text: object) -> Origin:
    given = text if isinstance(text, str) else ""
    origin = origin_alone(given)
    if origin is None:
        raise ConfigurationError(
            f"{redacted(text)} is not an http or https origin. Write scheme, host and, if unusual, "
            f"port, without a path or a wildcard: '{_origin_meant(given) or 'https://admin.example.com'}'"
        )
    return origin


def _origin_meant(text: str) -> Origin | None:
    """The origin that a URL with a path, or a host alone, was probably meant to name."""
    if "://" in text or not any(mark in text for mark in ".:"):
        return origin_of(text)
    return origin_of(f"{'http' if text.startswith(('localhost', '127.')) else 'https'}://{text}")
