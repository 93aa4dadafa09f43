"""The caller's credentials for requests: a `Session` that judges every hop.

session = CallerSession(Destinations("https://api.example.com"))
session.get("https://api.example.com/reports")
"""

from typing import Any
from weakref import WeakKeyDictionary

from passthrough_auth.core.caller import mark_answer
from passthrough_auth.core.origin import Origin
from passthrough_auth.core.outbound import Destinations, Redirects, check_destinations
from passthrough_auth.optional_import import optional_import

from ._environment import EnvironmentProxy
from ._shared import NoCookies, SharedClient

with optional_import("requests"):
    import requests
    from requests.adapters import BaseAdapter
    from requests.cookies import RequestsCookieJar
    from requests.utils import select_proxy

# The history of the calls that redirected requests go on with. requests has no place for it in a
# request, and keyword arguments of `send` would reach the app's hooks and adapters.
_history: WeakKeyDictionary[requests.PreparedRequest, Redirects] = WeakKeyDictionary()
# The history of a redirect in a response that a hook of the app has put in place of ours: nothing
# that was set for an origin is taken along.
_UNKNOWN = Redirects(Origin("https", "", 443), left_origin=True, strayed=True)


class CallerSession(SharedClient, requests.Session):
    """A session that acts as the caller of the request that is being served.

    Make one and share it, also between threads. It keeps no cookies and takes no passwords (netrc)
    from the environment, nor REQUESTS_CA_BUNDLE: set `verify`. With `environment_proxies`, https
    goes through the proxy that is named there, as a tunnel, unless NO_PROXY has the host. Adapters
    may be mounted as usual. Each call raises the errors of `Destinations.headers_for`, before
    anything is sent, and else those of requests.
    """

    # requests copies and pickles these, and nothing else.
    __attrs__ = [*requests.Session.__attrs__, "destinations", "_environment"]  # noqa: RUF012 - as requests has it

    def __init__(self, destinations: Destinations, *, environment_proxies: bool = False) -> None:
        super().__init__()
        self.destinations = check_destinations(destinations)
        self._environment = EnvironmentProxy(used=environment_proxies)
        self.trust_env = False
        self.cookies = _NoCookies()

    def get_adapter(self, url: str) -> BaseAdapter:
        return _HopAdapter(super().get_adapter(url), self.destinations, self._environment)

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType] - untyped in the stubs
        adapter = getattr(response, "connection", None)
        known = adapter.redirects if isinstance(adapter, _HopAdapter) else None
        _history[prepared_request] = known or _UNKNOWN


class _NoCookies(NoCookies, RequestsCookieJar):  # type: ignore[misc]  # the stubs' mappings differ
    """The same, in the class that `Session` wants."""


class _HopAdapter(BaseAdapter):
    """Sends one hop through the adapter that is mounted for it.

    `redirects` is the history of its call so far. It is None before the first hop, and for a
    redirect, which has it in `_history`.
    """

    def __init__(
        self,
        mounted: BaseAdapter,
        destinations: Destinations,
        environment: EnvironmentProxy,
        redirects: Redirects | None = None,
    ) -> None:
        super().__init__()
        self._mounted = mounted
        self._destinations = destinations
        self._environment = environment
        self.redirects = redirects

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        url = request.url or ""
        proxied = bool(select_proxy(url, kwargs.get("proxies")))
        outgoing = request.copy()
        redirects = self._destinations.carry(
            url,
            outgoing.headers,
            self.redirects or _history.get(request),
            proxied=proxied,
        )
        if not proxied and self._environment.leads_to(url):
            kwargs["proxies"] = {"https": self._environment.url}
        # The request that is redirected, and shown in responses and errors, holds no credentials.
        try:
            response = self._mounted.send(outgoing, *args, **kwargs)
        except requests.RequestException as error:
            error.request = request
            raise
        response.request = request
        if redirects.added:
            mark_answer(response, response.status_code)
        # Redirects read the history there, and an authentication that answers a challenge, such as
        # Digest, sends its answer by it.
        after = _HopAdapter(self._mounted, self._destinations, self._environment, redirects)
        response.connection = after  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] - any adapter will do
        return response

    def close(self) -> None:
        self._mounted.close()
