"""Where the SDK's calls go when they are made as a caller.

A session of the SDK is an address and an HTTP client. There is one for the endpoint, and one more
for each cluster that the control plane names for a kind of call (`SelectCluster`); the calls of
each carry all the caller's credentials. The HTTP client that the SDK builds follows redirects to
wherever they lead, with the body and every custom header, and believes what it is answered there;
and a cluster may be at any address, over plain http too.

What is reached into: `ClientSet` is built anew from its own `session_config`, and
`create_session_config` is wrapped where it builds the sessions of clusters.
"""

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import pyqwest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte._initialize import get_client
from flyte.errors import InitializationError

from passthrough_auth.core import (
    ConfigurationError,
    DestinationNotAllowed,
    Destinations,
    origin_of,
)

from .sdk import check_not_forked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte.remote._client.auth._session import SessionConfig
    from flyte.remote._client.controlplane import ClientSet

Clusters = tuple[Destinations, ...] | None
"""The clusters that the control plane may name; None stands for all that speak TLS."""

# The SDK hands on what is in a session's `auth_kwargs` when it builds those of its clusters.
_CLUSTERS = "passthrough_auth_clusters"
_lock = threading.Lock()


def client_for_callers() -> "ClientSet | None":
    """The SDK's client, if it has one; if it acts as callers, it is confined from now on.

    So it is, too, where flyte's own `init_passthrough` made it. Raises `ForkedAfterImport` where
    its calls would hang.
    """
    check_not_forked()
    client = _client()
    # Once confined, a client stays so: each request looks, and only the first one waits.
    if client is not None and _is_to_be_confined(client):
        with _lock:
            if _is_to_be_confined(client):
                _confine(client, None)
    return client


def confine_client(clusters: Clusters) -> None:
    """Confine the client that was just made to its endpoint and these clusters."""
    client = _client()
    if client is not None:
        with _lock:
            _confine(client, clusters)


def checked_clusters(given: Iterable[str] | None) -> Clusters:
    """The clusters that an app names by their origins. Raises `ConfigurationError`."""
    if given is None:
        return None
    origins = () if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or not all(isinstance(each, str) for each in origins):
        raise ConfigurationError(
            "clusters takes a collection of origins: write clusters=['https://*.example.com']"
        )
    for origin in origins:
        if origin.strip().lower().startswith("http://"):
            raise ConfigurationError(
                f"{origin!r} is no cluster to name: credentials can't travel over plain HTTP"
            )
    return tuple(map(Destinations, origins))


def _client() -> "ClientSet | None":
    try:
        return get_client()
    except InitializationError:
        return None


def _is_to_be_confined(client: "ClientSet") -> bool:
    session = client.session_config
    # With insecure=True the SDK sends no credentials at all.
    acts_as_callers = session.auth_kwargs.get("auth_type") == "Passthrough" and not session.insecure
    return acts_as_callers and _CLUSTERS not in session.auth_kwargs


def _confine(client: "ClientSet", clusters: Clusters) -> None:
    """Give the client new services, in place: whoever holds it already has them too."""
    _confine_clusters()
    vars(client).update(vars(type(client)(_confined(client.session_config, clusters))))


def _confine_clusters() -> None:
    # Imported here: it takes long, and where there is a client it is there already.
    from flyte.remote._client import controlplane

    module: Any = controlplane  # to type checkers, it doesn't export what it has imported
    if not isinstance(module.create_session_config, _CreateSession):
        module.create_session_config = _CreateSession(module.create_session_config)


def _confined(session: "SessionConfig", clusters: Clusters) -> "SessionConfig":
    return replace(
        session,
        http_client=pyqwest.Client(_NoRedirects(session.tls_ca_cert)),
        auth_kwargs={**session.auth_kwargs, _CLUSTERS: clusters},
    )


@final
class _CreateSession:
    """Does what the SDK's `create_session_config` does, and confines what a confined one asks."""

    def __init__(self, create: "Callable[..., Awaitable[SessionConfig]]") -> None:
        self._create = create

    async def __call__(self, *args: Any, **options: Any) -> "SessionConfig":
        if _CLUSTERS not in options:
            return await self._create(*args, **options)
        clusters: Clusters = options.pop(_CLUSTERS)
        session = await self._create(*args, **options)
        _check_cluster(session.endpoint, options["auth_endpoint"], clusters)
        return _confined(session, clusters)


def _check_cluster(cluster: str, endpoint: str, clusters: Clusters) -> None:
    """Raise `DestinationNotAllowed` unless the caller's credentials may travel to the cluster."""
    origin = origin_of(cluster)
    if origin is None or origin.scheme != "https":
        raise DestinationNotAllowed(
            f"Flyte's control plane names a cluster at {origin or 'no certain address'}. "
            "The caller's credentials travel over TLS only"
        )
    named = clusters is None or any(each.names(origin) for each in clusters)
    if not named and origin != origin_of(endpoint):
        raise DestinationNotAllowed(
            f"Flyte's control plane names a cluster at {origin}, which is not among the clusters "
            "that credentials may travel to. If they may, write init_passthrough(..., "
            f"clusters=[..., '{origin}'])"
        )


@final
class _NoRedirects:
    """Carries requests as the SDK's own transport does, and follows no redirect."""

    def __init__(self, tls_ca_cert: bytes | None) -> None:
        from flyte.remote._client.auth import _session as sdk

        self._transport = pyqwest.HTTPTransport(
            follow_redirects=False,
            # The others are the SDK's own.
            tls_ca_cert=tls_ca_cert,
            tls_include_system_certs=tls_ca_cert is None,
            timeout=None,
            connect_timeout=30.0,
            read_timeout=None,
            pool_idle_timeout=90.0,
            tcp_keepalive_interval=30.0,
            use_system_dns=sdk._use_system_dns(),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the SDK has no public way to ask
        )

    async def execute(self, request: pyqwest.Request) -> pyqwest.Response:
        response = await self._transport.execute(request)
        if 300 <= response.status < 400:
            target = origin_of(response.headers.get("location") or "")
            await response.aclose()
            # An error that the SDK neither hides in another nor tries again at.
            raise ConnectError(
                Code.FAILED_PRECONDITION,
                f"Flyte answered with a redirect to {target or 'another path'}, which is not "
                "followed: the caller's credentials are for the endpoint that was named. If Flyte "
                "is to be found there, give init_passthrough that endpoint",
            )
        return response
