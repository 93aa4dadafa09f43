"""The caller's credentials for httpx and httpx2, which have one API in two packages.

Nothing here imports either. The modules `httpx` and `httpx2` beside this one name the classes.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from passthrough_auth.core.caller import mark_answer
from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.outbound import Destinations, check_destinations

from ._environment import EnvironmentProxy
from ._shared import REFUSED_OPTIONS, NoCookies, check_common_settings, refuse_options

_TRANSPORT_OPTIONS = (
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
_REFUSED = {
    **REFUSED_OPTIONS,
    "mounts": "goes through one transport; write transport=",
    # Up to httpx 0.27, a mapping that makes mounts.
    "proxies": "goes through one proxy at most; write proxy=",
}
_PROXY_ADVICE = (
    "Whether the given transport leads through a proxy isn't known here: if it doesn't, write "
    "proxied=False beside it"
)
# The extension of a request with the history of its call. A redirected request takes along the
# extensions of the one before, and transports ignore those that they don't know.
_REDIRECTS = "passthrough_auth"


class _Request(Protocol):
    @property
    def method(self) -> str: ...

    @property
    def url(self) -> Any: ...

    @property
    def headers(self) -> Any: ...

    @property
    def stream(self) -> Any: ...

    extensions: Any


class _Response(Protocol):
    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Any: ...


class _Transport(Protocol):
    def handle_request(self, request: Any) -> Any: ...

    def close(self) -> None: ...


class _AsyncTransport(Protocol):
    async def handle_async_request(self, request: Any) -> Any: ...

    async def aclose(self) -> None: ...


_RequestT = TypeVar("_RequestT", bound=_Request)
_ResponseT = TypeVar("_ResponseT", bound=_Response)
_AnyTransportT = TypeVar("_AnyTransportT")
_TransportT = TypeVar("_TransportT", bound=_Transport)
_AsyncTransportT = TypeVar("_AsyncTransportT", bound=_AsyncTransport)
_ClientT = TypeVar("_ClientT")


class _TransportBase(Generic[_RequestT, _ResponseT, _AnyTransportT]):
    """A transport that gives each hop its credentials, and sends it through another transport.

    In a client of the app's own it takes Set-Cookie off responses, because that client's cookie jar
    is shared by all callers, unless `shared_jar=False` says that it has none. `proxied` says
    whether `transport` leads through a proxy, which may not see credentials: they go by https only,
    unless it is False.

    Raises `ConfigurationError` for a transport of the other kind, sync or async, and for a
    `proxied` that can't be right.
    """

    base_class: ClassVar[type]
    """The class that the library's transports of this kind derive from."""
    library: ClassVar[str]
    """Its name. Some SDKs put theirs into the classes of the library."""
    default_class: ClassVar[Callable[..., Any]]
    """The library's transport of this kind that makes connections."""
    environment: EnvironmentProxy | None = None
    """The proxy that the environment names, unless the app says where calls lead."""
    tunnel: _AnyTransportT | None = None
    """A transport that leads through that proxy, if it is used."""

    def __init__(
        self,
        destinations: Destinations,
        transport: _AnyTransportT | None = None,
        *,
        proxied: bool | None = None,
        shared_jar: bool = True,
    ) -> None:
        check_proxied(proxied, transport)
        self._destinations = check_destinations(destinations)
        if transport is None:
            proxied = False
        self._transport = self._checked(self.default_class() if transport is None else transport)
        # Unless the app says otherwise, its own transport may lead through a proxy.
        self._proxied = proxied is not False
        self._advice = _PROXY_ADVICE if proxied is None else ""
        self._shared_jar = shared_jar

    def _through(self, request: _RequestT) -> _AnyTransportT:
        """The transport for this hop."""
        if self.environment is None or not self.environment.leads_to(str(request.url)):
            return self._transport
        return self.tunnel or self._transport

    def _all_transports(self) -> list[_AnyTransportT]:
        return [self._transport] if self.tunnel is None else [self._transport, self.tunnel]

    def _checked(self, transport: _AnyTransportT) -> _AnyTransportT:
        if not isinstance(transport, self.base_class):
            kind, given = self.base_class, type(transport).__name__
            raise ConfigurationError(
                f"transport= takes an {self.library}.{kind.__name__} here, "
                f"which {given} is not: write one such as {self.default_class.__name__} or "
                f"{type(self).__name__}"
            )
        return transport

    def _outgoing(self, request: _RequestT) -> _RequestT:
        """A copy of the request with the headers of this hop.

        The client keeps the original, redirects it and shows it in responses and errors. So that
        one gets none of the caller's credentials.
        """
        make: Any = type(request)
        outgoing: _RequestT = make(
            request.method,
            request.url,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        redirects = self._destinations.carry(
            str(request.url),
            outgoing.headers,
            request.extensions.get(_REDIRECTS),
            proxied=self._proxied,
            advice=self._advice,
        )
        # Replaced, not changed: older releases keep the app's own dict here.
        request.extensions = {**request.extensions, _REDIRECTS: redirects}
        return outgoing

    def _incoming(self, request: _RequestT, response: _ResponseT) -> _ResponseT:
        """The response, without cookies for a jar that other callers' requests take them from."""
        if request.extensions[_REDIRECTS].added:
            mark_answer(response, response.status_code)
        if self._shared_jar and "set-cookie" in response.headers:
            del response.headers["set-cookie"]
        return response


class SyncTransportBase(_TransportBase[_RequestT, _ResponseT, _TransportT]):
    """The base of the sync `CallerTransport` of each library."""

    def handle_request(self, request: _RequestT) -> _ResponseT:
        response = self._through(request).handle_request(self._outgoing(request))
        return self._incoming(request, response)

    def close(self) -> None:
        for transport in self._all_transports():
            transport.close()


class AsyncTransportBase(_TransportBase[_RequestT, _ResponseT, _AsyncTransportT]):
    """The base of the `AsyncCallerTransport` of each library."""

    async def handle_async_request(self, request: _RequestT) -> _ResponseT:
        response = await self._through(request).handle_async_request(self._outgoing(request))
        return self._incoming(request, response)

    async def aclose(self) -> None:
        for transport in self._all_transports():
            await transport.aclose()


class ClientFactory(Generic[_ClientT, _AnyTransportT]):
    """Makes the clients of one library and kind, sync or async."""

    def __init__(
        self,
        client: Callable[..., _ClientT],
        transport: type[_TransportBase[Any, Any, _AnyTransportT]],
        header_names: Callable[[Any], Iterable[str]],
    ) -> None:
        self._client = client
        self._transport = transport
        self._header_names = header_names

    def caller_client(
        self,
        destinations: Destinations,
        *,
        transport: _AnyTransportT | None = None,
        proxied: bool | None = None,
        environment_proxies: bool = False,
        **options: Any,
    ) -> _ClientT:
        """A client that acts as the caller of the request that is being served.

        Make one and share it; an async one belongs to the event loop that it is first used in. It
        takes the options of the library's `Client` and of its `HTTPTransport`. It keeps no cookies
        and takes no passwords from the environment; with `environment_proxies`, https goes through
        the proxy that is named there, as a tunnel, unless NO_PROXY has the host. Each call raises
        the errors of `Destinations.headers_for`, before anything is sent, and else those of the
        library.

        A `transport` of your own takes the place of `HTTPTransport`, and has its options itself.
        Say with `proxied` whether it leads through a proxy: plain http is refused unless it is
        False.

        Raises `ConfigurationError` for an option that would lead around the boundary.
        """
        refuse_options(options, _REFUSED)
        check_proxied(proxied, transport)
        default = self._transport.default_class
        transport_options = {
            name: options.pop(name) for name in _TRANSPORT_OPTIONS if name in options
        }
        if transport is None:
            environment = EnvironmentProxy(used=environment_proxies)
            carrying = self._connecting(destinations, transport_options, environment)
        elif transport_options or environment_proxies:
            others = ["environment_proxies"] if environment_proxies else []
            raise ConfigurationError(
                f"{', '.join(f'{name}=' for name in [*transport_options, *others])} can't be given "
                "beside transport=, which would not have it: give it to the transport, as in "
                f"transport={default.__name__}(verify=...)"
            )
        else:
            carrying = self._transport(destinations, transport, proxied=proxied, shared_jar=False)
        check_common_settings(options, self._header_names(options.get("headers")), destinations)
        return self._client(transport=carrying, cookies=NoCookies(), trust_env=False, **options)

    def _connecting(
        self, destinations: Destinations, options: dict[str, Any], environment: EnvironmentProxy
    ) -> _TransportBase[Any, Any, _AnyTransportT]:
        """A transport that makes connections of its own, with these options."""
        make = self._transport.default_class
        proxied = options.get("proxy") is not None
        carrying = self._transport(destinations, make(**options), proxied=proxied, shared_jar=False)
        if not proxied and options.get("uds") is None:
            carrying.environment = environment
            if environment.used and environment.url:
                carrying.tunnel = make(**{**options, "proxy": environment.url})
        elif environment.used:
            raise ConfigurationError(
                "environment_proxies=True can't be given beside proxy= or uds=, which say where "
                "calls lead: write one of them"
            )
        return carrying


def check_proxied(proxied: object, transport: object) -> None:
    """Raise `ConfigurationError` for a `proxied` that can't be right beside this transport."""
    if proxied is not None and not isinstance(proxied, bool):
        raise ConfigurationError(f"proxied is True or False, not {proxied!r}")
    if proxied is not None and transport is None:
        raise ConfigurationError(
            "proxied describes a transport of your own, given with it. Leave it out, or write "
            "proxy= for a client"
        )
