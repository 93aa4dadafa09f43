"""The caller's credentials for gRPC: channels that ask who calls on every call.

    channel = secure_channel("api.example.com:443", credentials, destinations=destinations)

A call's metadata is made when the call is, by interceptors. gRPC's call credentials
(`AuthMetadataPlugin`) are of no use here: they run in the context of the code that made the
channel. So a channel made in one caller's request would send that caller's credentials for
everyone.
"""

from collections.abc import Sequence

from passthrough_auth.clients._event_loop import require_running_loop
from passthrough_auth.core.outbound import Destinations
from passthrough_auth.optional_import import optional_import

with optional_import("grpc"):
    import grpc
    import grpc.aio

    from ._asyncio import caller_interceptors
    from ._target import Options, insecure_origin, secure_origin, target_of, without_proxy
    from ._threads import calling_as_the_caller

__all__ = [
    "aio_insecure_channel",
    "aio_secure_channel",
    "insecure_channel",
    "secure_channel",
]


def secure_channel(
    target: str,
    credentials: grpc.ChannelCredentials,
    *,
    destinations: Destinations,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
) -> grpc.Channel:
    """`grpc.secure_channel`, with each call on it made as the caller of the request being served.

    `target` is `host:port`, and `https://host:port` must be among the destinations. Each call
    raises the errors of `Destinations.headers_for`, and `ConfigurationError` for an identity of the
    app's own beside the caller's, in metadata or call credentials, which its destination does not
    decide. All of them are raised before anything is sent; the others are gRPC's.

    `credentials` are those of TLS or ALTS. Composite ones are refused, as they would go with every
    call in place of the caller's. Give `credentials=` to a single call instead.

    Raises `DestinationNotAllowed` for a target that isn't named, `ConfigurationError` for
    credentials that don't encrypt, and for a `send=` with a name that gRPC has no metadata for.
    """
    origin = secure_origin(target, credentials, destinations)
    channel = grpc.secure_channel(target_of(origin, target), credentials, options, compression)
    return calling_as_the_caller(channel, destinations, origin)


def insecure_channel(
    target: str,
    *,
    destinations: Destinations,
    options: Options | None = None,
    compression: grpc.Compression | None = None,
) -> grpc.Channel:
    """`secure_channel` without encryption: to a loopback address, or in a mesh that encrypts.

    `http://host:port` must be among the destinations, on another machine than this as in
    `Destination("http://reports.prod.svc.cluster.local:50051", plain_http=True)`. Everyone on the
    way can read it. A socket of this machine, `unix:///run/sidecar.sock`, is `http://localhost`
    among them. Uses no proxy. Raises `DestinationNotAllowed` for any other target.
    """
    origin = insecure_origin(target, destinations)
    channel = grpc.insecure_channel(target_of(origin, target), without_proxy(options), compression)
    return calling_as_the_caller(channel, destinations, origin)


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
    origin = secure_origin(target, credentials, destinations)
    callers = caller_interceptors(destinations, origin)
    require_running_loop("aio_secure_channel(...)")
    return grpc.aio.secure_channel(
        target_of(origin, target), credentials, options, compression, [*interceptors, *callers]
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
    origin = insecure_origin(target, destinations)
    callers = caller_interceptors(destinations, origin)
    require_running_loop("aio_insecure_channel(...)")
    return grpc.aio.insecure_channel(
        target_of(origin, target), without_proxy(options), compression, [*interceptors, *callers]
    )
