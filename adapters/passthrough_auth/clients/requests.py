"""The caller's credentials for requests: a `Session` that judges every hop.

session = CallerSession(Destinations("https://api.example.com"))
session.get("https://api.example.com/reports")
"""

from typing import Any

from passthrough_auth.core import Destinations, Trail, check_destinations, requires_extra

from ._shared import NoCookies, Shared

with requires_extra("requests"):
    import requests
    from requests.adapters import BaseAdapter
    from requests.cookies import RequestsCookieJar
    from requests.utils import select_proxy

# Under this name `Session` hands the call on, from `send` to the adapter and from hop to hop.
_CALL = "passthrough_auth_call"


class CallerSession(Shared, requests.Session):
    """A session that acts as the caller of whichever request is being served.

    Make one and share it, also between threads. It keeps no cookies and takes neither proxies nor
    passwords (netrc) from the environment, nor REQUESTS_CA_BUNDLE: set `verify`. Adapters may be
    mounted as usual. Each call raises what `Destinations.headers_for` raises, before anything is
    sent, and else what requests raises.
    """

    def __init__(self, destinations: Destinations) -> None:
        super().__init__()
        self.destinations = check_destinations(destinations)
        self.trust_env = False
        self.cookies = _NoCookies()

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        # A redirect that the app follows by itself, as `send(response.next)`, is of the same call.
        kwargs.setdefault(_CALL, _Call(vars(request).get(_CALL)))
        return super().send(request, **kwargs)

    def get_adapter(self, url: str) -> BaseAdapter:
        return _HopAdapter(super().get_adapter(url), self.destinations)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType] - untyped in the stubs
        vars(prepared_request)[_CALL] = vars(response).get(_CALL)


class _NoCookies(NoCookies, RequestsCookieJar):  # type: ignore[misc]  # the stubs' mappings differ
    """The same, in the class that `Session` wants."""


class _Call:
    """The trail of one call, from its first hop to its last."""

    __slots__ = ("trail",)

    def __init__(self, trail: Trail | None = None) -> None:
        self.trail = trail


class _HopAdapter(BaseAdapter):
    """Sends one hop through the adapter that is mounted for it."""

    def __init__(self, mounted: BaseAdapter, destinations: Destinations) -> None:
        super().__init__()
        self._mounted = mounted
        self._destinations = destinations

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        url = request.url or ""
        call: _Call = kwargs.pop(_CALL, None) or _Call()
        hop = self._destinations.hop(url, call.trail)
        if hop.add and select_proxy(url, kwargs.get("proxies")):
            self._destinations.refuse_plain_proxy(url)
        outgoing = request.copy()
        hop.apply(outgoing.headers)
        call.trail = hop.trail
        # The request that is redirected, and shown in responses and errors, holds no credentials.
        try:
            response = self._mounted.send(outgoing, *args, **kwargs)
        except requests.RequestException as error:
            error.request = request
            raise
        response.request = request
        vars(response)[_CALL] = call.trail
        # What repeats the call by itself, as Digest authentication does, comes by here again.
        response.connection = self  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] - any adapter will do
        return response

    def close(self) -> None:
        self._mounted.close()
