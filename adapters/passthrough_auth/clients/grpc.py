"""The caller's credentials for gRPC: channels that ask who calls on every call.

    channel = secure_channel("api.example.com:443", credentials, destinations=destinations)

A call's metadata is made when the call is, by interceptors. What gRPC calls call credentials
(`AuthMetadataPlugin`) is of no use here: they are asked in the context of whoever made the channel,
so that a channel made in one caller's request would send that caller's for everyone.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from typing import Any, NamedTuple, cast

from passthrough_auth.core import (
    BodyInContext,
    ConfigurationError,
    DestinationNotAllowed,
    Destinations,
    Origin,
    check_destinations,
    origin_of,
    requires_extra,
    without_caller,
)

from ._event_loop import require_running_loop

with requires_extra("grpc"):
    import grpc
    import grpc.aio

Options = Sequence[tuple[str, Any]]

_DNS = re.compile(r"dns:(?:///)?")
_PORT = re.compile(r".*:[0-9]+")
# The kinds of channel credentials that always encrypt, by the class that gRPC makes: there is no
# other way to tell. Seen of the others, with gRPC 1.66 to 1.85: those of local connections and of
# xDS send in the clear, the former also inside composite ones (1.66).
_ENCRYPTING = frozenset({"SSLChannelCredentials", "ALTSChannelCredentials"})
# The names of metadata that carry text. Those that end in "-bin" carry bytes, those that begin with
# "grpc-" are gRPC's own (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
_NAME_OF_TEXT = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
# Proxies that the environment names, and those that options do: what is not encrypted, they see.
_NO_PROXY = (("grpc.enable_http_proxy", 0), ("grpc.address_http_proxy_enabled_addresses", ""))


def secure_channel(
    target: str,
    credentials: grpc.ChannelCredentials,
    *,
    destinations: Destinations,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
) -> grpc.Channel:
    """`grpc.secure_channel`, each call on it made as the caller of whichever request is served.

    `target` is `host:port`, and `https://host:port` must be among the destinations. Metadata that
    the app gives a call itself is not overwritten. Each call raises what
    `Destinations.headers_for` raises, before anything is sent, and else what gRPC raises.

    `credentials` are those of TLS or ALTS. Composite ones are refused: what is sent with every call
    is the caller's, and a call of its own may be given `credentials=`.

    Raises `DestinationNotAllowed` for a target that isn't named, `ConfigurationError` for
    credentials that don't encrypt, and for a `send=` with a name that gRPC has no metadata for.
    """
    origin = _secure_origin(target, credentials, destinations)
    channel = grpc.secure_channel(_target(origin), credentials, options, compression)
    return _as_the_caller(channel, destinations, origin)


def insecure_channel(
    target: str,
    *,
    destinations: Destinations,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
) -> grpc.Channel:
    """`secure_channel` without encryption, to a loopback address only.

    `http://host:port` must be among the destinations. Raises `DestinationNotAllowed` for any other
    target, whatever is permitted there over http.
    """
    origin = _loopback_origin(target, destinations)
    channel = grpc.insecure_channel(_target(origin), _unproxied(options), compression)
    return _as_the_caller(channel, destinations, origin)


def aio_secure_channel(
    target: str,
    credentials: grpc.ChannelCredentials,
    *,
    destinations: Destinations,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """`secure_channel` for asyncio. Its own interceptors run after those given.

    It belongs to the event loop that it is made in. Raises `RuntimeError` where none runs.
    """
    origin = _secure_origin(target, credentials, destinations)
    own = _aio_interceptors(destinations, origin)
    require_running_loop("aio_secure_channel(...)")
    return grpc.aio.secure_channel(
        _target(origin), credentials, options, compression, [*interceptors, *own]
    )


def aio_insecure_channel(
    target: str,
    *,
    destinations: Destinations,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
) -> grpc.aio.Channel:
    """`insecure_channel` for asyncio. Its own interceptors run after those given.

    It belongs to the event loop that it is made in. Raises `RuntimeError` where none runs.
    """
    origin = _loopback_origin(target, destinations)
    own = _aio_interceptors(destinations, origin)
    require_running_loop("aio_insecure_channel(...)")
    return grpc.aio.insecure_channel(
        _target(origin), _unproxied(options), compression, [*interceptors, *own]
    )


# --- Where a channel leads ------------------------------------------------------------------------


def _secure_origin(
    target: str, credentials: grpc.ChannelCredentials, destinations: Destinations
) -> Origin:
    kind = type(getattr(credentials, "_credentials", None)).__name__
    if kind == "CompositeChannelCredentials":
        raise ConfigurationError(
            "these credentials carry call credentials of the app's, for every call. Write "
            "grpc.ssl_channel_credentials() here; to call as the app itself, use a plain channel"
        )
    if kind not in _ENCRYPTING:
        raise ConfigurationError(
            f"channel credentials of this kind ({kind}) don't encrypt, or not always. Write "
            "grpc.ssl_channel_credentials(), and give call credentials of the app's own to the "
            "call; or insecure_channel(...) for a loopback address"
        )
    return _named_origin(_url("https", target), destinations)


def _loopback_origin(target: str, destinations: Destinations) -> Origin:
    url = _url("http", target)
    origin = origin_of(url)
    if origin is not None and not origin.is_loopback:
        raise DestinationNotAllowed(
            f"An insecure channel to {origin.host} would show the caller's credentials to everyone "
            "on the way. Write secure_channel(...)"
        )
    return _named_origin(url, destinations)


def _named_origin(url: str, destinations: Destinations) -> Origin:
    origin = check_destinations(destinations).check(url)
    _check_names(destinations.sent_names(origin))
    return origin


def _url(scheme: str, target: str) -> str:
    """The URL whose origin this target stands for, or "" for a target that is none."""
    if target.lower().startswith(("https://", "http://")):
        raise ConfigurationError("a gRPC target has no scheme: write 'api.example.com:443'")
    host = _DNS.sub("", target, count=1) if _DNS.match(target) else target
    if any(mark in host for mark in "/?#"):
        return ""  # a resolver of another kind, which leads nobody knows where
    # 443 is what gRPC takes for a missing port, encrypted or not.
    return f"{scheme}://{host}" if _PORT.fullmatch(host) else f"{scheme}://{host}:443"


def _target(origin: Origin) -> str:
    """What gRPC reads as this origin and as nothing else: `unix:443` is no host to it."""
    return f"dns:///{origin.host}:{origin.port}"


def _unproxied(options: Options | None) -> Options:
    """These, with no proxy. Of two options of one name, gRPC takes the first."""
    return [*_NO_PROXY, *(options or ())]


def _check_names(names: Iterable[str]) -> None:
    """Raise `ConfigurationError` for a header that gRPC has no metadata for."""
    for name in names:
        if _NAME_OF_TEXT.fullmatch(name) is None:
            raise ConfigurationError(
                f"gRPC can't send the caller's {name!r}: names of metadata consist of letters, "
                "digits and '_.-', don't begin with 'grpc-', and are for bytes if they end in "
                "'-bin'. Send it under another name, as in Destination(..., "
                f"send={{{name!r}: 'x-token'}})"
            )


# --- What a call carries --------------------------------------------------------------------------


class _Details(NamedTuple):
    """A call's details, with metadata of ours."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class _CallDetails(_Details, grpc.ClientCallDetails):
    """The same as gRPC knows it."""


class _Metadata:
    """Makes the metadata of one channel's calls."""

    __slots__ = ("_destinations", "_url")

    def __init__(self, destinations: Destinations, origin: Origin) -> None:
        self._destinations = destinations
        self._url = str(origin)

    def of(self, details: Any) -> list[tuple[str, str | bytes]]:
        """The call's own metadata, and what of the current caller's is not among it."""
        own: list[tuple[Any, str | bytes]] = list(details.metadata or ())
        # gRPC takes names as bytes, too.
        names = (name.decode() if isinstance(name, bytes) else name for name, _ in own)
        taken = {name.lower() for name in names}
        if details.credentials is not None:
            # The app authenticates this call by itself, which gRPC does with this name.
            taken.add("authorization")
        headers = self._destinations.headers_for(self._url)
        _check_names(headers)
        return [*own, *((name, value) for name, value in headers.items() if name not in taken)]


def _as_the_caller(
    channel: grpc.Channel, destinations: Destinations, origin: Origin
) -> grpc.Channel:
    """This channel, with what it takes for each call to be made as its caller, and only that."""
    watched = cast("grpc.Channel", _Watched(channel))
    return grpc.intercept_channel(watched, _Interceptor(destinations, origin))


class _Watched:
    """A channel whose watchers, which share threads, are called with nobody as the caller."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def subscribe(self, *args: Any, **options: Any) -> None:
        with without_caller():
            self._channel.subscribe(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


class _Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Attaches the caller to each call, in the thread and context that makes it."""

    def __init__(self, destinations: Destinations, origin: Origin) -> None:
        self._metadata = _Metadata(destinations, origin)

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return self._call(continuation, client_call_details, request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return self._call(continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._call(continuation, client_call_details, _in_context(request_iterator))

    def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._call(continuation, client_call_details, _in_context(request_iterator))

    def _call(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        carrying = self._details(details)
        # A thread that gRPC starts for one call serves all those on the channel: it runs the
        # callbacks of each, in a copy of the context that it was started in.
        with without_caller():
            return continuation(carrying, request)

    def _details(self, details: Any) -> _CallDetails:
        return _CallDetails(
            details.method,
            details.timeout,
            self._metadata.of(details),
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )


def _in_context(requests: Iterable[Any]) -> Iterator[Any]:
    """These requests, each produced in the context of the call, whichever thread asks for it."""
    return BodyInContext(requests, copy_context().run, on_close=lambda: None)


class _AioDetails:
    """Attaches the caller to each call, in the context of the task that makes it."""

    def __init__(self, destinations: Destinations, origin: Origin) -> None:
        self._metadata = _Metadata(destinations, origin)

    def details(self, details: Any) -> grpc.aio.ClientCallDetails:
        return grpc.aio.ClientCallDetails(
            details.method,
            details.timeout,
            grpc.aio.Metadata(*self._metadata.of(details)),
            details.credentials,
            details.wait_for_ready,
        )


# grpc.aio takes an interceptor for one kind of call only.


class _UnaryUnary(_AioDetails, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self.details(client_call_details), request)


class _UnaryStream(_AioDetails, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self.details(client_call_details), request)


class _StreamUnary(_AioDetails, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(self.details(client_call_details), request_iterator)


class _StreamStream(_AioDetails, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(self.details(client_call_details), request_iterator)


def _aio_interceptors(
    destinations: Destinations, origin: Origin
) -> Iterable[grpc.aio.ClientInterceptor]:
    kinds = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
    return [kind(destinations, origin) for kind in kinds]
