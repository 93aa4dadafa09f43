"""The caller's credentials for requests: a `Session` that judges every hop.

session = CallerSession(Destinations("https://api.example.com"))
session.get("https://api.example.com/reports")
"""

from typing import Any

from passthrough_auth.core import Destinations, Origin, Trail, check_destinations, requires_extra

from ._shared import NoCookies, Shared

with requires_extra("requests"):
    import requests
    from requests.adapters import BaseAdapter
    from requests.cookies import RequestsCookieJar
    from requests.utils import select_proxy

# Under this name a response has the trail of its call, and a redirected request that of the hop
# before. Keyword arguments of `send` would reach the app's hooks and adapters.
_TRAIL = "passthrough_auth_trail"
# That of a redirect in a response which a hook of the app has put in place of ours: nothing that
# was set for an origin is taken along.
_UNKNOWN = Trail(Origin("https", "", 443), strayed=True)


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

    def get_adapter(self, url: str) -> BaseAdapter:
        return _HopAdapter(super().get_adapter(url), self.destinations)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType] - untyped in the stubs
        vars(prepared_request)[_TRAIL] = vars(response).get(_TRAIL, _UNKNOWN)


class _NoCookies(NoCookies, RequestsCookieJar):  # type: ignore[misc]  # the stubs' mappings differ
    """The same, in the class that `Session` wants."""


class _HopAdapter(BaseAdapter):
    """Sends one hop through the adapter that is mounted for it.

    `trail` is that of its call so far, if this is what repeats it.
    """

    def __init__(
        self, mounted: BaseAdapter, destinations: Destinations, trail: Trail | None = None
    ) -> None:
        super().__init__()
        self._mounted = mounted
        self._destinations = destinations
        self._trail = trail

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        url = request.url or ""
        hop = self._destinations.hop(url, self._trail or vars(request).get(_TRAIL))
        if hop.add and select_proxy(url, kwargs.get("proxies")):
            self._destinations.refuse_plain_proxy(url)
        outgoing = request.copy()
        hop.apply(outgoing.headers)
        # The request that is redirected, and shown in responses and errors, holds no credentials.
        try:
            response = self._mounted.send(outgoing, *args, **kwargs)
        except requests.RequestException as error:
            error.request = request
            raise
        response.request = request
        vars(response)[_TRAIL] = hop.trail
        # What repeats the call by itself, as Digest authentication does, comes by here again.
        again = _HopAdapter(self._mounted, self._destinations, hop.trail)
        response.connection = again  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] - any adapter will do
        return response

    def close(self) -> None:
        self._mounted.close()
