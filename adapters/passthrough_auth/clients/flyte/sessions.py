"""Where the SDK's calls go when they are made as a caller.

A session of the SDK is an address and an HTTP client. There is one for the endpoint, and one more
for each cluster that the control plane names for a kind of call (`SelectCluster`); the calls of
each carry all the caller's credentials. The HTTP client that the SDK builds follows redirects to
wherever they lead, with the body and every custom header, and believes what it is answered there.

What is reached into: `ClientSet` is built anew from its own `session_config`, and
`create_session_config` is wrapped where it builds the sessions of clusters.
"""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import pyqwest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte._initialize import get_client
from flyte.errors import InitializationError

from passthrough_auth.core import origin_of

from .sdk import check_not_forked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte.remote._client.auth._session import SessionConfig
    from flyte.remote._client.controlplane import ClientSet

# The SDK hands on what is in a session's `auth_kwargs` when it builds those of its clusters.
_CONFINED = "passthrough_auth_confined"
_lock = threading.Lock()


def client_for_callers() -> "ClientSet | None":
    """The SDK's client, if it has one; if it acts as callers, it follows no redirect from now on.

    So it is the same whichever `init_passthrough` made it, ours or flyte's own. Raises
    `ForkedAfterImport` where its calls would hang.
    """
    check_not_forked()
    try:
        client = get_client()
    except InitializationError:
        return None
    with _lock:
        session = client.session_config
        if _acts_as_callers(session) and _CONFINED not in session.auth_kwargs:
            _confine(client)
    return client


def _acts_as_callers(session: "SessionConfig") -> bool:
    # With insecure=True the SDK sends no credentials at all.
    return session.auth_kwargs.get("auth_type") == "Passthrough" and not session.insecure


def _confine(client: "ClientSet") -> None:
    """Give the client new services, in place: whoever holds it already has them too."""
    _confine_clusters()
    vars(client).update(vars(type(client)(_confined(client.session_config))))


def _confine_clusters() -> None:
    # Imported here: it takes long, and where there is a client it is there already.
    from flyte.remote._client import controlplane

    module: Any = controlplane  # to type checkers, it doesn't export what it has imported
    if not isinstance(module.create_session_config, _CreateSession):
        module.create_session_config = _CreateSession(module.create_session_config)


def _confined(session: "SessionConfig") -> "SessionConfig":
    return replace(
        session,
        http_client=pyqwest.Client(_NoRedirects(session.tls_ca_cert)),
        auth_kwargs={**session.auth_kwargs, _CONFINED: True},
    )


@final
class _CreateSession:
    """Does what the SDK's `create_session_config` does, and confines what a confined one asks."""

    def __init__(self, create: "Callable[..., Awaitable[SessionConfig]]") -> None:
        self._create = create

    async def __call__(self, *args: Any, **options: Any) -> "SessionConfig":
        confined = options.pop(_CONFINED, False)
        session = await self._create(*args, **options)
        return _confined(session) if confined else session


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
            # By an environment variable of the SDK's own.
            use_system_dns=sdk._use_system_dns(),  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
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
