"""The hosts to which the SDK's calls as a caller may go."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flyte
import pyqwest
import pytest
import trustme
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from flyte import remote
from flyte._initialize import get_client
from flyte.remote._client.auth import _session
from flyte.syncify import syncify
from flyteidl2.auth.identity_pb2 import UserInfoResponse
from flyteidl2.workflow.run_service_pb2 import WatchActionDetailsRequest
from tests.flyte.hosts import Host
from tests.flyte.scripts import run_script

from passthrough_auth.clients.flyte import bind_flyte, current_user, init_passthrough
from passthrough_auth.clients.flyte.sessions import _NoRedirects
from passthrough_auth.core import (
    ConfigurationError,
    DestinationNotAllowed,
    Destinations,
    acting_as,
)
from passthrough_auth.testing.flyte import FlyteEndpoint

pytest_plugins = ["passthrough_auth.testing.pytest_plugin"]

ALICE = (("authorization", "Bearer alice-token"), ("x-flyte-token", "alice-token"))
SENT = dict(ALICE)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(
    authority: trustme.CA,
    flyte_endpoint: FlyteEndpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK trusts the local endpoint and every host here."""
    file = tmp_path / "trusted.pem"
    file.write_bytes(Path(flyte_endpoint.ca_file).read_bytes() + authority.cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.fixture
def host(authority: trustme.CA, tmp_path: Path, trusted: None) -> Iterator[Host]:
    with Host(authority, tmp_path).serving() as serving:
        yield serving


@pytest.fixture
def stranger(authority: trustme.CA, tmp_path: Path, trusted: None) -> Iterator[Host]:
    """A host that isn't configured. It answers that every caller is the admin."""
    with Host(authority, tmp_path).serving() as serving:
        serving.body = UserInfoResponse(subject="admin", name="Admin").SerializeToString()
        yield serving


def init_async(endpoint: str, **clusters: Any) -> None:
    async def call() -> None:
        await init_passthrough.aio(endpoint, project="demo", domain="development", **clusters)

    asyncio.run(call())


def init(endpoint: str, **clusters: Any) -> None:
    init_passthrough(endpoint, project="demo", domain="development", **clusters)


def flytes_own(endpoint: str) -> None:
    flyte.init_passthrough(endpoint, project="demo", domain="development")


ours = pytest.mark.parametrize("init", [init, init_async])
whichever = pytest.mark.parametrize("init", [init, init_async, flytes_own])
Init = Callable[..., None]


# Redirects


@whichever
@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_takes_the_caller_along(
    init: Init, scheme: str, status: int, host: Host, stranger: Host
) -> None:
    host.redirect(f"{stranger.url(scheme)}/flyteidl2.auth.IdentityService/UserInfo", status)
    init(host.url())
    with acting_as(*ALICE), pytest.raises(ConnectError) as caught:
        remote.User.get()
    assert f"a redirect to {stranger.url(scheme)}, which is not followed" in str(caught.value)
    assert caught.value.code is Code.FAILED_PRECONDITION
    assert [sent for _, _, sent in host.requests] == [SENT]
    assert not stranger.requests


@whichever
def test_a_redirect_target_can_t_say_who_the_caller_is(
    init: Init, host: Host, stranger: Host
) -> None:
    host.redirect(f"{stranger.url()}/flyteidl2.auth.IdentityService/UserInfo")
    init(host.url())
    with acting_as(*ALICE), pytest.raises(ConnectError, match="not followed"):
        current_user()
    assert not stranger.requests


@whichever
def test_a_stream_follows_no_redirect_either(init: Init, host: Host, stranger: Host) -> None:
    host.redirect(stranger.url())
    init(host.url())

    async def watch() -> list[Any]:
        stream = get_client().run_service.watch_action_details(WatchActionDetailsRequest())
        return [each async for each in stream]

    with acting_as(*ALICE), pytest.raises(ConnectError, match="not followed"):
        syncify(watch)()
    assert host.paths == ["WatchActionDetails"]
    assert not stranger.requests


def test_a_redirect_to_another_path_is_not_followed_either(host: Host) -> None:
    host.redirect("/elsewhere")
    init(host.url())
    with acting_as(*ALICE), pytest.raises(ConnectError, match="a redirect to another path"):
        remote.User.get()
    assert host.paths == ["UserInfo"]


def test_a_client_from_before_this_library_was_imported_is_confined(
    host: Host, stranger: Host
) -> None:
    """An app with our middleware may call flyte's own `init_passthrough` first."""
    host.redirect(f"{stranger.url()}/flyteidl2.auth.IdentityService/UserInfo")
    script = f"""
        import flyte, sys
        from flyte import remote
        flyte.init_passthrough({host.url()!r}, project="demo", domain="development")
        assert "passthrough_auth.clients.flyte" not in sys.modules
        from passthrough_auth.core import acting_as
        with acting_as(*{ALICE!r}):
            try:
                print(remote.User.get())
            except Exception as error:
                print(type(error).__name__)
    """
    done = run_script(script)
    assert done.stdout.strip() == "ConnectError", done.stdout + done.stderr
    assert not stranger.requests


def test_a_client_that_acts_as_the_app_stays_as_the_sdk_makes_it(host: Host) -> None:
    flyte.init(endpoint=host.url(), project="demo", domain="development")
    client = get_client()
    before = dict(vars(client))
    with acting_as(*ALICE):
        pass
    assert vars(client) == before


def test_a_client_is_confined_once_and_in_place(host: Host) -> None:
    flytes_own(host.url())
    client = get_client()
    for _ in range(2):
        with acting_as(*ALICE, bindings=[bind_flyte]):
            services = dict(vars(client))
    assert get_client() is client
    assert vars(client) == services


# Clusters


def run_train() -> str:
    with acting_as(*ALICE):
        return flyte.run(remote.Task.get(name="train", version="v1")).name


def refused_cluster() -> str:
    """The error for a cluster to which a run's inputs must not be sent."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error of the SDK
        run_train()
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, DestinationNotAllowed):
        error = error.__cause__
    assert str(error) in str(caught.value)
    return str(error)


def called_hosts(endpoint: FlyteEndpoint) -> dict[str, str]:
    """The host in the last call of each method."""
    return {call.method: call.headers["host"][0] for call in endpoint.calls}


@whichever
@pytest.mark.parametrize("scheme", ["http://", "HTTP://", "https://someone@"])
def test_a_cluster_is_not_called_but_over_tls(
    init: Init, scheme: str, flyte_endpoint: FlyteEndpoint, stranger: Host
) -> None:
    flyte_endpoint.select_cluster(f"{scheme}127.0.0.1:{stranger.port}")
    init(flyte_endpoint.endpoint)
    assert refused_cluster().endswith("The caller's credentials travel over TLS only")
    assert not stranger.requests
    assert not flyte_endpoint.runs


@whichever
def test_the_control_plane_may_name_any_cluster_that_speaks_tls(
    init: Init, flyte_endpoint: FlyteEndpoint, trusted: None
) -> None:
    cluster = flyte_endpoint.url.replace("127.0.0.1", "localhost")
    flyte_endpoint.select_cluster(cluster)
    init(flyte_endpoint.endpoint)
    run_train()
    assert called_hosts(flyte_endpoint)["CreateRun"] == flyte_endpoint.url.removeprefix("https://")
    assert called_hosts(flyte_endpoint)["UploadInputs"] == cluster.removeprefix("https://")


@ours
def test_an_app_can_name_its_clusters(
    init: Init, flyte_endpoint: FlyteEndpoint, stranger: Host
) -> None:
    cluster = flyte_endpoint.url.replace("127.0.0.1", "localhost")
    named = ["https://*.clusters.example.com", cluster]
    flyte_endpoint.select_cluster(cluster)
    init(flyte_endpoint.endpoint, clusters=iter(named))
    run_train()
    assert called_hosts(flyte_endpoint)["UploadInputs"] == cluster.removeprefix("https://")

    flyte_endpoint.select_cluster(stranger.url())
    init(flyte_endpoint.endpoint, clusters=named)
    assert f"clusters=[..., '{stranger.url()}']" in refused_cluster()
    assert not stranger.requests


@ours
def test_without_clusters_the_endpoint_alone_is_called(
    init: Init, flyte_endpoint: FlyteEndpoint, stranger: Host
) -> None:
    for cluster in ("", flyte_endpoint.url, flyte_endpoint.endpoint):
        flyte_endpoint.select_cluster(cluster)
        init(flyte_endpoint.endpoint, clusters=[])
        run_train()
    flyte_endpoint.select_cluster(stranger.url())
    init(flyte_endpoint.endpoint, clusters=[])
    assert "is not among the clusters" in refused_cluster()
    assert not stranger.requests


def test_a_named_cluster_can_t_redirect_the_caller_elsewhere(
    flyte_endpoint: FlyteEndpoint, host: Host, stranger: Host
) -> None:
    host.redirect(stranger.url())
    flyte_endpoint.select_cluster(host.url())
    init(flyte_endpoint.endpoint, clusters=[host.url()])
    with pytest.raises(Exception, match="which is not followed"):
        run_train()
    assert host.paths == ["UploadInputs"]
    assert not stranger.requests


def test_clusters_are_those_of_one_initialisation(
    flyte_endpoint: FlyteEndpoint, trusted: None
) -> None:
    flyte_endpoint.select_cluster(flyte_endpoint.url.replace("127.0.0.1", "localhost"))
    init(flyte_endpoint.endpoint, clusters=[])
    assert refused_cluster()
    flytes_own(flyte_endpoint.endpoint)
    run_train()


@ours
@pytest.mark.parametrize(
    ("clusters", "says"),
    [
        ("https://a.example.com", "clusters takes a collection of origins"),
        (Destinations("https://a.example.com"), "clusters takes a collection of origins"),
        (["http://127.0.0.1:1"], "can't travel over plain HTTP"),
        (["a.example.com"], "is not an origin"),
    ],
)
def test_clusters_that_cannot_be_meant_are_refused(init: Init, clusters: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        init("dns:///flyte.example.com", clusters=clusters)


# Properties of the SDK on which we rely


@pytest.mark.parametrize("tls_ca_cert", [None, trustme.CA().cert_pem.bytes()])
def test_only_redirects_differ_from_the_sdks_own_transport(
    tls_ca_cert: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    defaults = {"tls_include_system_certs": False}
    real = pyqwest.HTTPTransport

    def transport(**options: Any) -> pyqwest.HTTPTransport:
        made.append(defaults | options)
        return real(**options)

    _session._supports_system_certs()  # caches its result, which must be of the real transport
    monkeypatch.setattr(pyqwest, "HTTPTransport", transport)
    _session._build_pyqwest_client(tls_ca_cert)
    _NoRedirects(tls_ca_cert)
    theirs, ours = made
    assert ours == theirs | {"follow_redirects": False}
