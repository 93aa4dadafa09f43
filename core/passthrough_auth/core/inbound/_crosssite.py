"""Recognises requests that another site made a browser send (CSRF).

Uses Fetch Metadata (Sec-Fetch-Site) and, for browsers without it, compares Origin with Host. A
client that sends neither is not a browser, so its requests have no credentials that were attached
automatically.
"""

import re
from collections.abc import Iterable

from passthrough_auth.core._checking import checked_collection
from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.origin import Origin, origin_alone, origin_of, redacted

from ._request import Request

# RFC 9110 section 9.2.1. Methods are case-sensitive: "get" is not one of these.
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


# The origins of mobile and desktop apps, such as capacitor://localhost. A browser can't tell the
# pages of these schemes apart, or has no host for them.
_NO_NATIVE_SCHEMES = frozenset({"http", "https", "ws", "wss", "file", "data", "blob", "about"})
_NATIVE_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://[a-z0-9._-]+(?::[0-9]{1,5})?")


def checked_origins(origins: Iterable[str]) -> frozenset[Origin | str]:
    """The origins in these texts, those of native apps as lower-case text.

    Raises `ConfigurationError` for a text that isn't an origin.
    """
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
    return request.method not in _SAFE_METHODS or is_handshake(request)


def is_handshake(request: Request) -> bool:
    """Whether this asks for a WebSocket."""
    return request.transport == "websocket" or any(
        "websocket" in line.lower() for line in request.lines("upgrade")
    )


def is_cross_site(request: Request, trusted_origins: frozenset[Origin | str]) -> bool:
    """Whether a page of another origin sent this, or may have, according to the browser."""
    origins = request.lines("origin")
    origin = origin_alone(origins[0]) if len(origins) == 1 else None
    if (origin or ",".join(origins).lower()) in trusted_origins:
        return False
    sites = request.lines("sec-fetch-site")
    if sites:
        return list(sites) not in (["same-origin"], ["none"])
    if not origins:
        return False
    return origin is None or not _is_own(origin, request)


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight: OPTIONS with the two headers that only a browser sets."""
    return (
        request.method == "OPTIONS"
        and request.transport == "http"
        and bool(request.lines("origin"))
        and bool(request.lines("access-control-request-method"))
    )


def _is_own(origin: Origin, request: Request) -> bool:
    hosts = request.lines("host")
    if len(hosts) != 1 or origin_alone(f"{origin.scheme}://{hosts[0]}") != origin:
        return False
    # After a proxy that ends TLS, the app may not know its scheme. Then http could be it.
    return origin.scheme == "https" or not _is_encrypted(request)


def _is_encrypted(request: Request) -> bool:
    """Whether the browser's connection was encrypted, by the word of the proxy or the server.

    A page can't set these headers, and a client that can isn't a browser.
    """
    told = [*request.lines("x-forwarded-proto")]
    told += [line for line in request.lines("forwarded") if "proto=" in line.lower()]
    if not told:
        return request.scheme in ("https", "wss")
    return any("https" in line.lower() or "wss" in line.lower() for line in told)


def _checked_origin(text: object) -> Origin | str:
    given = text if isinstance(text, str) else ""
    origin = origin_alone(given)
    if origin is None:
        native = _NATIVE_ORIGIN.fullmatch(given.lower())
        if native is not None and native[1] not in _NO_NATIVE_SCHEMES:
            return native[0]
        raise ConfigurationError(
            f"{redacted(text)} is not an origin. Write scheme, host and, if unusual, "
            f"port, without a path or a wildcard: '{_origin_meant(given) or 'https://admin.example.com'}'"
        )
    return origin


def _origin_meant(text: str) -> Origin | None:
    """The origin that a URL with a path, or a host alone, was probably meant to name."""
    if "://" in text or not any(mark in text for mark in ".:"):
        return origin_of(text)
    return origin_of(f"{'http' if text.startswith(('localhost', '127.')) else 'https'}://{text}")
