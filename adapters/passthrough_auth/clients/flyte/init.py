"""Initialising the SDK, with its silent traps refused."""

import os
from collections.abc import Iterable
from typing import Any, final

import flyte

from passthrough_auth.core.caller import checked_bindings
from passthrough_auth.core.errors import ConfigurationError

from .binding import bind_flyte
from .sdk import check_not_forked
from .sessions import checked_clusters, confine_current

_ENDPOINT_VARIABLE = "_U_EP_OVERRIDE"  # read by the SDK where no endpoint is given
_USE_TLS = (
    "Serve the endpoint over TLS. For a local one, make a throw-away certificate authority (with "
    "trustme, say) and name its file in the environment variable SSL_CERT_FILE before this call"
)


@final
class _InitPassthrough:
    """Initialise the SDK to act as the callers of this app: once, at start-up.

    Takes and returns what `flyte.init_passthrough` does, which it calls; `init_passthrough.aio`
    is the same in async code. Without `endpoint`, the SDK takes the one that a Flyte cluster
    names in the environment.

    For some calls the control plane names a cluster on another host, and the SDK sends them, with
    the caller's credentials, there. By default that is any host that speaks TLS; `clusters` names
    those that it may be, as origins such as "https://*.clusters.example.com". With an empty list,
    nothing but the endpoint is called.

    Raises `ConfigurationError` for what the SDK accepts and then fails at: no endpoint at all,
    `insecure=True`, and an `http://` endpoint; and for clusters that can't be meant. Raises
    `ForkedAfterImport` where it would hang.
    """

    def __call__(
        self,
        endpoint: str | None = None,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        insecure: bool = False,  # noqa: FBT001, FBT002 - flyte's own signature
        *,
        clusters: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        _check(endpoint, insecure=insecure)
        named = checked_clusters(clusters)
        initialised = flyte.init_passthrough(endpoint, org, project, domain)
        confine_current(named)
        return initialised

    async def aio(
        self,
        endpoint: str | None = None,
        org: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        insecure: bool = False,  # noqa: FBT001, FBT002 - flyte's own signature
        *,
        clusters: Iterable[str] | None = None,
    ) -> dict[str, Any]:
        """Initialise the SDK from async code."""
        _check(endpoint, insecure=insecure)
        named = checked_clusters(clusters)
        initialised = await flyte.init_passthrough.aio(endpoint, org, project, domain)
        confine_current(named)
        return initialised


init_passthrough = _InitPassthrough()


def _check(endpoint: str | None, *, insecure: bool) -> None:
    check_not_forked()
    # Also in a request, in which the app has only now imported the SDK.
    checked_bindings([bind_flyte])
    if insecure:
        raise ConfigurationError(
            "insecure=True makes the SDK drop the caller's credentials without a word, so Flyte "
            f"would see nobody. {_USE_TLS}"
        )
    wanted = endpoint or os.environ.get(_ENDPOINT_VARIABLE)
    if not wanted:
        raise ConfigurationError(
            "init_passthrough needs the endpoint of a Flyte control plane: write "
            'init_passthrough("dns:///flyte.example.com", project=..., domain=...), or set the '
            f"environment variable {_ENDPOINT_VARIABLE}. In a test, import the app inside the test "
            "or fixture"
        )
    if wanted.strip().lower().startswith("http://"):
        source = "endpoint" if endpoint else f"the environment variable {_ENDPOINT_VARIABLE}"
        raise ConfigurationError(
            f"{source} begins with http://, which the SDK takes for https:// without a word: "
            f"credentials can't travel over plain HTTP. {_USE_TLS}"
        )
