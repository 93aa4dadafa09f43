"""What each hop of a call carries. A hop is one request: the first, or one after a redirect."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple, Protocol

from passthrough_auth.core.caller import Credential
from passthrough_auth.core.errors import DestinationNotAllowed
from passthrough_auth.core.origin import Origin, origin_of

from ._identities import Settled


class Redirects(NamedTuple):
    """The history of one call, after a hop that `Destinations.carry` has prepared.

    `origin` is the origin of the first hop, and `left_origin` is true from the first hop that
    leaves it. Until then, `app_headers` has the names of headers that identify the app, which calls
    alone, and `cookie` is the result of `keep_first_cookie` for the first hop. `added` has
    the names of the caller's headers that were added to this hop. A client may have to remove them
    again. `callers` has the names of the caller's credentials when the call began: they may end
    before it does. `strayed` is true from the first hop to an origin that is not named. That origin
    chose where the call went on, so no later hop carries anything of the caller's.
    """

    origin: Origin
    left_origin: bool = False
    app_headers: frozenset[str] = frozenset()
    cookie: str | None = None
    added: tuple[str, ...] = ()
    strayed: bool = False
    callers: frozenset[str] = frozenset()


class _Destinations(Protocol):
    def check(self, url: str) -> Origin: ...

    def headers_for(self, url: str | Origin) -> dict[str, str]: ...

    def names(self, origin: Origin) -> bool: ...

    def settle(
        self, origin: Origin, sent: Mapping[str, Any], callers: dict[str, str]
    ) -> Settled: ...

    def sensitive_names(self) -> frozenset[str]: ...

    def caller_names(self) -> frozenset[str]: ...


def carry(
    destinations: _Destinations,
    url: str,
    headers: MutableMapping[str, Any],
    redirects: Redirects | None,
    *,
    proxied: bool,
    advice: str,
) -> Redirects:
    """The rule of `Destinations.carry`, which documents it."""
    reached = origin_of(url)
    if redirects is None:
        begun_at = destinations.check(url) if reached is None else reached
        redirects = Redirects(begun_at, callers=destinations.caller_names())
    first = redirects.origin
    left_origin = redirects.left_origin or reached != first
    strayed = redirects.strayed or (
        left_origin and (reached is None or not destinations.names(reached))
    )
    callers = {} if strayed else destinations.headers_for(reached or first)
    if proxied and callers and reached is not None and reached.scheme == "http":
        del callers  # a traceback with locals would show them
        raise DestinationNotAllowed(_how_to_avoid_a_proxy(reached, advice))

    try:
        if left_origin:
            # Also what stood in place of a caller's, or is named like theirs, who may have ended.
            sensitive = destinations.sensitive_names() | redirects.app_headers | redirects.callers
            _remove(sensitive, headers)
            redirects = Redirects(first, left_origin, strayed=strayed, callers=redirects.callers)
        cookie = keep_first_cookie(headers, redirects.cookie)
        if strayed:
            return redirects._replace(cookie=cookie)
        if redirects.app_headers:
            # The app began this call alone, and the client has dropped its header since.
            callers = {}
        settled = destinations.settle(reached or first, headers, callers)
        callers = settled.callers
        _remove(settled.removed, headers)
        for name in callers:
            headers[name] = callers[name]
    except BaseException:
        callers.clear()  # the same: an interrupt, or headers that can't be changed
        raise
    app_headers = redirects.app_headers | settled.apps
    return redirects._replace(
        left_origin=left_origin, app_headers=app_headers, cookie=cookie, added=tuple(callers)
    )


def _remove(names: Iterable[str], headers: MutableMapping[str, Any]) -> None:
    for name in names:
        if name in headers:
            del headers[name]


def keep_first_cookie(headers: MutableMapping[str, Any], first: str | None) -> str:
    """Remove the Cookie header, unless the call began with the same one, set by the app.

    The client library has added a Cookie that appears later. It comes from a response on the way,
    perhaps of another party, and would be sent instead of the caller's.

    `first` is the result of this function for the first hop, and None on that hop. It isn't secret:
    it is a fingerprint, or empty for a call that began without a Cookie.
    """
    found = ""
    if "cookie" in headers:
        found = Credential("cookie", repr(headers["cookie"])).fingerprint
    if first is None:
        return found
    if found and found != first:
        del headers["cookie"]
    return first


def _how_to_avoid_a_proxy(origin: Origin, advice: str) -> str:
    """The error for plain http through a proxy."""
    text = (
        f"A request to {origin} through a proxy would show the caller's credentials to the "
        "proxy. Use https, which is tunnelled, or call that origin without a proxy"
    )
    return f"{text}. {advice}" if advice else text
