"""What httpx and httpx2 share: one API, two packages. Nothing here imports either."""

from collections.abc import MutableMapping
from typing import Any, Protocol, TypeVar

from passthrough_auth.core import ConfigurationError, Destinations, Trail, check_destinations

from ._shared import INSTEAD, refuse_options

TRANSPORT_OPTIONS = (
    "verify",
    "cert",
    "http1",
    "http2",
    "limits",
    "proxy",
    "uds",
    "local_address",
    "retries",
    "socket_options",
)
"""The options of a client that its transport takes."""

_REFUSED = {
    **INSTEAD,
    "mounts": "goes through one transport; write transport=",
    # Up to httpx 0.27, a mapping that makes mounts.
    "proxies": "goes through one proxy at most; write proxy=",
}
_UNTOLD = (
    "Nothing public tells whether the transport given leads through one: if it doesn't, write "
    "proxied=False beside it"
)
# Where the trail of a call is kept between two of its hops: a redirected request takes the
# extensions of the one before along, and transports ignore those that they don't know.
_TRAIL = "passthrough_auth"


class _Request(Protocol):
    @property
    def url(self) -> Any: ...

    @property
    def method(self) -> str: ...

    @property
    def headers(self) -> Any: ...

    @property
    def stream(self) -> Any: ...

    extensions: Any


_R = TypeVar("_R", bound=_Request)
_T = TypeVar("_T")


def take_transport_options(options: dict[str, Any], transport: object) -> dict[str, Any]:
    """Move the transport's options out of a client's, and refuse those that would go around it.

    Raises `ConfigurationError`, for an option beside a transport of the app's own as well, which
    would not have it.
    """
    refuse_options(options, _REFUSED)
    own = {name: options.pop(name) for name in TRANSPORT_OPTIONS if name in options}
    if own and transport is not None:
        given = ", ".join(f"{name}=" for name in own)
        raise ConfigurationError(
            f"{given} can't be given beside transport=, which would not have it: give it to the "
            "transport, as in transport=HTTPTransport(verify=...)"
        )
    return own


def is_proxied(transport: object, proxied: object, proxy: object = None) -> bool | None:
    """Whether requests go through a proxy; None if only the app knows, and has not said.

    A transport of the app's own doesn't say. For one that we make, `proxy` decides. Raises
    `ConfigurationError` for a `proxied` that can't be right.
    """
    if proxied is not None and not isinstance(proxied, bool):
        raise ConfigurationError(f"proxied is True or False, not {proxied!r}")
    if transport is not None:
        return proxied
    if proxied is not None:
        raise ConfigurationError(
            "proxied is said of a transport of your own, given with it. Leave it out, or write "
            "proxy= for a client"
        )
    return proxy is not None


def checked_transport(transport: _T, kind: type[_T]) -> _T:
    """A transport of that kind: a sync one for a sync client, an async one for an async one."""
    if not isinstance(transport, kind):
        library = kind.__module__.partition(".")[0]
        prefix = "Async" if kind.__name__.startswith("Async") else ""
        raise ConfigurationError(
            f"transport= takes an {library}.{kind.__name__} here, which {type(transport).__name__} "
            f"is not: write one such as {prefix}HTTPTransport or {prefix}CallerTransport"
        )
    return transport


class Carrier:
    """Judges each hop, and makes the request that goes out for it."""

    __slots__ = ("_destinations", "_proxied", "_shared_jar")

    def __init__(
        self, destinations: Destinations, *, proxied: bool | None, shared_jar: bool
    ) -> None:
        self._destinations = check_destinations(destinations)
        self._proxied = proxied
        self._shared_jar = shared_jar

    def outgoing(self, request: _R) -> _R:
        """A copy with the headers that this hop carries.

        The request that the client keeps, and redirects and shows in its responses, has none.
        """
        url = str(request.url)
        trail: Trail | None = request.extensions.get(_TRAIL)
        hop = self._destinations.hop(url, trail)
        if hop.add and self._proxied is not False:
            self._destinations.refuse_plain_proxy(url, "" if self._proxied else _UNTOLD)
        headers = request.headers.copy()
        hop.apply(headers)
        # Replaced, not changed: older releases keep the app's own dict here.
        request.extensions = {**request.extensions, _TRAIL: hop.trail}
        make: Any = type(request)
        copy: _R = make(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return copy

    def incoming(self, headers: MutableMapping[str, str]) -> None:
        """Keep a response's cookies out of a jar that other callers' requests take them from."""
        if self._shared_jar and "set-cookie" in headers:
            del headers["set-cookie"]
