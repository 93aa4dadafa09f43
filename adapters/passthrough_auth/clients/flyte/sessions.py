"""Where the SDK's calls go when they are made as a caller.

A session of the SDK is an address and an HTTP client. There is one for the endpoint, and one more
for each cluster that the control plane names for a kind of call (`SelectCluster`); the calls of
each carry all the caller's credentials. The HTTP client that the SDK builds follows redirects to
wherever they lead, with the body and every custom header, and believes what it is answered there;
and a cluster may be at any address, over plain http too.
"""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, final

import pyqwest
from connectrpc.code import Code
from connectrpc.errors import ConnectError

from passthrough_auth.core.errors import ConfigurationError, DestinationNotAllowed
from passthrough_auth.core.origin import origin_of
from passthrough_auth.core.outbound import Destinations

from . import sdk

if TYPE_CHECKING:
    from flyte.remote._client.auth._session import SessionConfig
    from flyte.remote._client.controlplane import ClientSet

Clusters = tuple[Destinations, ...] | None
"""The clusters that the control plane may name; None stands for all that speak TLS."""

# The SDK hands on what is in a session's `auth_kwargs` when it builds those of its clusters.
_CLUSTERS = "passthrough_auth_clusters"
_lock = threading.Lock()


def confine(client: "ClientSet") -> None:
    """Confine a client to its endpoint, and clusters that speak TLS, if it acts as callers."""
    with _lock:
        session = client.session_config
        if sdk.acts_as_callers(session) and _CLUSTERS not in session.auth_kwargs:
            _confine(client, None)


def confine_current(clusters: Clusters) -> None:
    """Confine the client that was just made to its endpoint and these clusters."""
    client = sdk.current_client()
    if client is not None:
        with _lock:
            _confine(client, clusters)


def _confine(client: "ClientSet", clusters: Clusters) -> None:
    sdk.watch_sessions(_CLUSTERS, _confined_cluster)
    sdk.exchange_session(client, _confined(client.session_config, clusters))


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


def _confined(session: "SessionConfig", clusters: Clusters) -> "SessionConfig":
    client = pyqwest.Client(_NoRedirects(session.tls_ca_cert))
    return sdk.with_http_client(session, client, **{_CLUSTERS: clusters})


def _confined_cluster(
    session: "SessionConfig", clusters: Clusters, endpoint: str
) -> "SessionConfig":
    """The session of a cluster, confined as the one of the endpoint is."""
    _check_cluster(session.endpoint, endpoint, clusters)
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
        self._transport = sdk.transport_without_redirects(tls_ca_cert)

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
