"""gRPC: the cases that every client passes, for each kind of call, and what is its own."""

import asyncio
import gc
import itertools
import json
import socket
import threading
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import grpc
import grpc.aio
import grpc.experimental
import psutil
import pytest
from tests.clients.drivers import DRIVERS, driver
from tests.clients.grpc_world import grpc_world, method
from tests.clients.suite import Bench, cases_for
from tests.clients.suite.cases import environment
from tests.clients.suite.proxy import recording_proxy

from passthrough_auth.clients.grpc import (
    aio_insecure_channel,
    aio_secure_channel,
    insecure_channel,
    secure_channel,
)
from passthrough_auth.core import (
    ConfigurationError,
    Destination,
    DestinationNotAllowed,
    Destinations,
    NoCaller,
    acting_as,
    current_credentials,
)
from passthrough_auth.core.caller import CallerScope

# Before 1.85, grpc.aio raises what an interceptor has raised once more when the call is collected,
# where nothing can catch it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function InterceptedCall.__del__"
    ":pytest.PytestUnraisableExceptionWarning"
)

KINDS = [driver(name) for name in DRIVERS if name.startswith("grpc")]


@pytest.fixture(scope="module")
def world():
    with grpc_world() as running:
        yield running
        assert running.credentials_at_strangers == 0
    gc.collect()  # while what is said of it above is ignored


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for kind in KINDS for case in cases_for(kind)], ids=str
)
def test_conformance(kind, case, world):
    case.run(Bench(kind, world))


# --- Its own --------------------------------------------------------------------------------------

ALICE = ("authorization", "Bearer alice-token")
METHOD = method("unary_unary")


def as_alice():
    return acting_as(ALICE, bindings=())


def target_of(world, origin):
    return urlsplit(world.root(origin)).netloc


@pytest.fixture
def trusted(world):
    return grpc.ssl_channel_credentials(Path(world.ca_file).read_bytes())


def seen(channel, **options):
    answer = channel.unary_unary(METHOD)(b"/whoami", **options)
    return json.loads(answer)["headers"]


def test_call_credentials_of_the_channels_maker_are_why_there_are_interceptors(world, trusted):
    """What a plugin sees of the context: that of whoever made the channel, on every call."""

    class Plugin(grpc.AuthMetadataPlugin):
        def __call__(self, context, callback):
            callback([("authorization", current_credentials().headers()["authorization"])], None)

    def channel_of(name):
        with acting_as(("authorization", f"Bearer {name}"), bindings=()):
            calling = grpc.metadata_call_credentials(Plugin())
            both = grpc.composite_channel_credentials(trusted, calling)
            return grpc.secure_channel(target_of(world, "named"), both)

    with (
        channel_of("alice") as channel,
        acting_as(("authorization", "Bearer bob"), bindings=()),
    ):
        try:
            found = seen(channel)["authorization"]
        except grpc.RpcError as error:
            # Alice's scope has been closed: at best, no caller is found.
            found = error.details()

    assert found != "Bearer bob"


def test_a_channel_made_for_alice_carries_bob_and_nothing(world, trusted):
    destinations = Destinations(Destination(world.root("named"), on_missing="anonymous"))
    target = target_of(world, "named")
    with as_alice():
        channel = secure_channel(target, trusted, destinations=destinations)
        assert seen(channel)["authorization"] == ALICE[1]
    with channel:
        with acting_as(("authorization", "Bearer bob"), bindings=()):
            assert seen(channel)["authorization"] == "Bearer bob"
        with CallerScope(None, "public").active():
            assert "authorization" not in seen(channel)
        with pytest.raises(NoCaller):
            seen(channel)


@pytest.mark.parametrize("make", [secure_channel, aio_secure_channel])
@pytest.mark.parametrize(
    "target",
    [
        "stranger.example:443",
        "stranger.example",
        "named.example.evil.example",
        "named.example:8443",
        "user@named.example",
        "unix:/run/socket",
        "unix:named.example",
        "ipv4:192.0.2.1:443",
        "xds:///named.example",
        "dns://192.0.2.53/named.example",
        "named.example/",
        "named.example#x",
        "",
    ],
)
def test_a_channel_to_a_target_that_is_not_named_is_not_made(make, target, trusted):
    with pytest.raises(DestinationNotAllowed):
        make(target, trusted, destinations=Destinations("https://named.example"))


@pytest.mark.parametrize("prefix", ["", "dns:", "dns:///"])
def test_a_target_may_name_the_resolver_that_is_used_anyway(prefix, world, trusted):
    target = prefix + target_of(world, "named")
    with (
        secure_channel(target, trusted, destinations=world.destinations()) as channel,
        as_alice(),
    ):
        assert seen(channel)["authorization"] == ALICE[1]


def test_a_target_without_a_port_is_on_443(trusted):
    """As gRPC reads it."""
    secure_channel("a.example", trusted, destinations=Destinations("https://a.example")).close()
    with pytest.raises(DestinationNotAllowed):
        insecure_channel("localhost", destinations=Destinations("http://localhost"))
    insecure_channel("localhost", destinations=Destinations("http://localhost:443")).close()


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
def test_a_socket_of_this_machine_is_called_as_localhost(form, world, tmp_path):
    """gRPC sends that as its authority; a mesh's sidecar may listen there."""
    target = form.format(tmp_path / "s")
    world.listen(target)
    named = Destinations("http://localhost")
    with insecure_channel(target, destinations=named) as channel, as_alice():
        assert seen(channel)["authorization"] == ALICE[1]

    async def once():
        async with aio_insecure_channel(target, destinations=named) as channel:
            return await channel.unary_unary(method("unary_unary"))(b"/x")

    with as_alice():
        assert json.loads(asyncio.run(once()))["headers"]["authorization"] == ALICE[1]


@pytest.mark.parametrize("named", ["http://localhost:50051", "https://localhost"])
def test_a_socket_is_named_as_localhost_and_nothing_else(named):
    with pytest.raises(
        DestinationNotAllowed, match=r"write Destinations\(..., 'http://localhost'\)"
    ):
        insecure_channel("unix:///run/sidecar.sock", destinations=Destinations(named))


@pytest.mark.parametrize(
    "target", ["unix:443", "unix:run/s", "unix:////run/s", "unix:/run\n/s", "unix-abstract:s"]
)
def test_what_may_be_no_socket_is_none(target):
    with pytest.raises(DestinationNotAllowed):
        insecure_channel(target, destinations=Destinations("http://localhost"))


@pytest.mark.parametrize("target", ["https://a.example:443", "HTTP://a.example"])
def test_a_target_with_a_scheme_is_told_so(target, trusted):
    with pytest.raises(ConfigurationError, match="has no scheme"):
        secure_channel(target, trusted, destinations=Destinations("https://a.example"))


def test_metadata_named_in_bytes_is_not_overwritten(world, trusted):
    own = ((b"authorization", "Bearer app"),)
    destinations = world.destinations(on_conflict="app")
    with (
        secure_channel(target_of(world, "named"), trusted, destinations=destinations) as channel,
        as_alice(),
    ):
        assert seen(channel, metadata=own)["authorization"] == "Bearer app"


def test_an_insecure_channel_leaves_the_machine_where_that_is_permitted():
    """In a service mesh the sidecar encrypts. Here it is this machine by another address."""
    address = own_address()
    server = grpc.server(ThreadPoolExecutor(1))
    arrived = []

    def answer(_request, context):
        arrived.append(dict(context.invocation_metadata())["authorization"])
        return b""

    handlers = {"Get": grpc.unary_unary_rpc_method_handler(answer)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("mesh", handlers),))
    port = server.add_insecure_port(f"{address}:0")
    server.start()
    named = Destinations(Destination(f"http://{address}:{port}", plain_http=True))
    try:
        with insecure_channel(f"{address}:{port}", destinations=named) as channel, as_alice():
            channel.unary_unary("/mesh/Get")(b"", timeout=60)
    finally:
        server.stop(None).wait()
    assert arrived == [ALICE[1]]


def own_address():
    """An address of this machine that is not a loopback one."""
    for each in itertools.chain.from_iterable(psutil.net_if_addrs().values()):
        if each.family is socket.AF_INET and not each.address.startswith("127."):
            return each.address
    return pytest.skip("this machine has no other address than loopback")


@pytest.mark.parametrize("make", [insecure_channel, aio_insecure_channel])
def test_no_insecure_channel_leaves_the_machine_unless_that_is_permitted(make):
    with pytest.raises(DestinationNotAllowed, match="plain_http=True"):
        make("10.0.0.7:50051", destinations=Destinations("https://10.0.0.7:50051"))


def composite(credentials):
    return grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials("a"))


PLAIN = grpc.experimental.insecure_channel_credentials()
OF_OTHER_KINDS = {
    "insecure": PLAIN,
    "xds": grpc.xds_channel_credentials(PLAIN),
    "local": grpc.local_channel_credentials(),
    "composite": composite(grpc.local_channel_credentials()),
    "composite-tls": composite(grpc.ssl_channel_credentials()),
    "none": None,
}


@pytest.mark.parametrize("make", [secure_channel, aio_secure_channel])
@pytest.mark.parametrize("credentials", OF_OTHER_KINDS.values(), ids=OF_OTHER_KINDS)
def test_credentials_that_may_not_encrypt_are_refused(make, credentials):
    with pytest.raises(ConfigurationError, match=r"Write grpc.ssl_channel_credentials\(\)"):
        make("a.example:443", credentials, destinations=Destinations("https://a.example"))


@pytest.mark.parametrize("kind", ["composite", "composite-tls"])
def test_call_credentials_that_come_with_the_channels_are_told_where_to_go(kind):
    destinations = Destinations("https://a.example")
    with pytest.raises(ConfigurationError, match="carry call credentials of the app's"):
        secure_channel("a.example:443", OF_OTHER_KINDS[kind], destinations=destinations)


UNSENDABLE = pytest.mark.parametrize("name", ["x-token-bin", "grpc-token", "x.token!~"])


@pytest.mark.parametrize(
    ("pairs", "metadata"),
    [
        ([("authorization", "Bearer planted-secret")], [("x-api-key", "own")]),
        ([("x-token-bin", "planted-secret")], []),
    ],
)
def test_a_call_that_is_not_made_shows_no_secret(pairs, metadata, world, trusted):
    """In this library's own frames: a traceback with locals is what error trackers send."""
    with (
        secure_channel(
            target_of(world, "named"), trusted, destinations=world.destinations()
        ) as channel,
        acting_as(*pairs, bindings=()),
        pytest.raises(ConfigurationError) as refused,
    ):
        seen(channel, metadata=metadata)
    frames = traceback.StackSummary.extract(
        traceback.walk_tb(refused.value.__traceback__), capture_locals=True
    )
    ours = [frame for frame in frames if "passthrough_auth/" in frame.filename]
    assert len(ours) > 1
    assert "planted-secret" not in repr([frame.locals for frame in ours])


@UNSENDABLE
@pytest.mark.parametrize("make", [insecure_channel, aio_insecure_channel])
def test_a_name_that_grpc_has_no_metadata_for_is_refused_with_the_channel(make, name):
    """gRPC would fail each call, for want of bytes or with INTERNAL, or take it for its own."""
    destinations = Destinations(
        Destination("http://localhost:1", send={"authorization": f"{name}: {{value}}"}),
    )
    with pytest.raises(ConfigurationError, match="Send it under another name"):
        make("localhost:1", destinations=destinations)


@UNSENDABLE
def test_a_name_that_grpc_has_no_metadata_for_is_refused_with_the_call(world, name):
    """If it comes from the caller's request, under whatever the app's extractors take."""
    target, named = target_of(world, "plain"), world.destinations()
    renamed = Destinations(Destination(world.root("plain"), send={name: "x-token"}))
    with (
        insecure_channel(target, destinations=named) as channel,
        insecure_channel(target, destinations=renamed) as renaming,
        acting_as((name, "abc"), bindings=()),
    ):
        with pytest.raises(ConfigurationError, match="as in Destination") as caught:
            seen(channel)
        assert seen(renaming)["x-token"] == "abc"

    assert repr(name) in str(caught.value)


def test_the_credentials_of_google_s_machines_are_accepted():
    """ALTS encrypts as TLS does. It can be tried there only: here the channel is made, no more."""
    destinations = Destinations("https://a.example")
    secure_channel(
        "a.example:443", grpc.alts_channel_credentials(), destinations=destinations
    ).close()


BY_ADDRESS = {
    "GRPC_ADDRESS_HTTP_PROXY": "{proxy}",
    "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES": "127.0.0.0/8,::1",
}
FOR_ALL = dict.fromkeys(("HTTP_PROXY", "GRPC_PROXY"), "http://{proxy}")


@pytest.mark.parametrize("variables", [FOR_ALL, BY_ADDRESS], ids=["for all", "by address"])
def test_a_proxy_from_the_environment_does_not_see_an_insecure_channel(world, variables):
    with recording_proxy() as proxy:
        address = urlsplit(proxy.url).netloc
        named = {name: value.format(proxy=address) for name, value in variables.items()}
        with (
            environment(**named, NO_PROXY="", NO_GRPC_PROXY=""),
            insecure_channel(
                target_of(world, "plain"), destinations=world.destinations(on_conflict="app")
            ) as channel,
            as_alice(),
        ):
            assert seen(channel)["authorization"] == ALICE[1]

        assert proxy.seen == []


def test_a_proxy_among_the_options_does_not_see_an_insecure_channel(world):
    with recording_proxy() as proxy:
        options = [
            ("grpc.enable_http_proxy", 1),
            ("grpc.http_proxy", proxy.url),
            ("grpc.address_http_proxy", urlsplit(proxy.url).netloc),
            ("grpc.address_http_proxy_enabled_addresses", "127.0.0.0/8,::1"),
        ]
        with (
            insecure_channel(
                target_of(world, "plain"), destinations=world.destinations(), options=options
            ) as channel,
            as_alice(),
        ):
            assert seen(channel)["authorization"] == ALICE[1]

        assert proxy.seen == []


def test_metadata_that_the_app_gives_a_call_is_not_overwritten(world, trusted):
    with (
        secure_channel(
            target_of(world, "named"), trusted, destinations=world.destinations(on_conflict="app")
        ) as channel,
        as_alice(),
    ):
        found = seen(channel, metadata=(("authorization", "Basic own"), ("x-other", "1")))

    assert found["authorization"] == "Basic own"
    assert found["x-other"] == "1"


def test_call_credentials_that_the_app_gives_a_call_are_not_joined_by_the_callers(world, trusted):
    with (
        secure_channel(
            target_of(world, "named"), trusted, destinations=world.destinations(on_conflict="app")
        ) as channel,
        as_alice(),
    ):
        found = seen(channel, credentials=grpc.access_token_call_credentials("own"))

    assert found["authorization"] == "Bearer own"


@pytest.mark.parametrize("own", ["metadata", "credentials"])
def test_an_identity_of_the_app_s_is_refused_or_gives_way(world, trusted, own):
    given = {
        "metadata": {"metadata": ((b"Authorization".lower(), "Bearer app"), ("x-api-key", "app"))},
        "credentials": {"credentials": grpc.access_token_call_credentials("app")},
    }[own]
    target = target_of(world, "named")
    with (
        secure_channel(target, trusted, destinations=world.destinations()) as channel,
        as_alice(),
        pytest.raises(ConfigurationError, match="on_conflict='caller'"),
    ):
        seen(channel, **given)

    destinations = world.destinations(on_conflict="caller")
    with secure_channel(target, trusted, destinations=destinations) as channel, as_alice():
        found = seen(channel, **given)
    assert found["authorization"] == ALICE[1]
    assert "x-api-key" not in found


def test_options_and_compression_reach_the_channel(world, trusted):
    with (
        secure_channel(
            target_of(world, "named"),
            trusted,
            destinations=world.destinations(),
            options=[("grpc.primary_user_agent", "an-app")],
            compression=grpc.Compression.Gzip,
        ) as channel,
        as_alice(),
    ):
        assert seen(channel)["user-agent"].startswith("an-app")


def test_interceptors_of_the_app_run_first(world, trusted):
    class Own(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation, client_call_details, request):
            details = client_call_details
            metadata = grpc.aio.Metadata(("authorization", "Basic own"))
            return await continuation(details._replace(metadata=metadata), request)

    async def work():
        async with aio_secure_channel(
            target_of(world, "named"),
            trusted,
            destinations=world.destinations(on_conflict="app"),
            interceptors=[Own()],
        ) as channel:
            with as_alice():
                return await channel.unary_unary(METHOD)(b"/whoami")

    assert json.loads(asyncio.run(work()))["headers"]["authorization"] == "Basic own"


# --- What runs in threads of gRPC's ---------------------------------------------------------------

AS_BOB = ("authorization", "Bearer bob")
STREAMED = ("stream_unary", "stream_stream")


def caller():
    """Whose credentials would be sent from here, or why none."""
    try:
        return current_credentials().headers()["authorization"]
    except NoCaller as absent:
        return absent.reason


def begun(channel, kind, path, requests=None):
    """A call under way, of that kind, which is a future to gRPC whatever it answers with."""
    make = getattr(channel, kind)(method(kind))
    make = make if kind.endswith("stream") else make.future
    return make((iter([path]) if requests is None else requests) if kind in STREAMED else path)


@contextmanager
def as_bob_on_a_channel_in_use_by_alice(world):
    """The channel, on which Alice began to call first and has not ended yet."""
    with insecure_channel(target_of(world, "plain"), destinations=world.destinations()) as channel:
        with as_alice():
            first = begun(channel, "unary_unary", b"/slow/60")
            with acting_as(AS_BOB, bindings=()):
                yield channel
        first.cancel()


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", *STREAMED])
def test_a_done_callback_acts_for_nobody_least_of_all_for_who_called_before(world, kind):
    """One thread of gRPC's runs those of all calls on a channel."""
    found = Future()
    world.let_go.clear()
    with as_bob_on_a_channel_in_use_by_alice(world) as channel:
        call = begun(channel, kind, b"/held")
        call.add_done_callback(lambda _call: found.set_result(caller()))
        world.let_go.set()
        for _ in call if kind.endswith("stream") else ():
            pass

        assert found.result(timeout=60) == "outside"


def test_a_done_callback_of_a_call_that_is_done_runs_where_it_is_added(world):
    found = []
    with as_bob_on_a_channel_in_use_by_alice(world) as channel:
        call = begun(channel, "unary_unary", b"/whoami")
        call.result()
        call.add_done_callback(lambda _call: found.append(caller()))

    assert found == [AS_BOB[1]]


@pytest.mark.parametrize("kind", STREAMED)
def test_requests_that_are_streamed_are_produced_as_the_caller_of_their_call(world, kind):
    found = []

    def requests():
        for piece in (b"/who", b"ami"):
            found.append((caller(), threading.current_thread() is threading.main_thread()))
            yield piece

    with as_bob_on_a_channel_in_use_by_alice(world) as channel:
        call = begun(channel, kind, b"", requests())
        answer = b"".join(call) if kind == "stream_stream" else call.result()

    assert json.loads(answer)["headers"]["authorization"] == AS_BOB[1]
    assert found == [(AS_BOB[1], False)] * 2


def test_what_watches_a_channel_acts_for_nobody(world):
    """Whoever watches first starts a thread that calls all who watch later."""
    found, ready = [], threading.Event()
    before = set(threading.enumerate())

    def of_alice(_state):
        found.append(caller())

    def of_bob(state):
        found.append(caller())
        if state is grpc.ChannelConnectivity.READY:
            ready.set()

    with insecure_channel(target_of(world, "plain"), destinations=world.destinations()) as channel:
        with as_alice():
            channel.subscribe(of_alice)
            with acting_as(AS_BOB, bindings=()):
                channel.subscribe(of_bob, try_to_connect=True)
                assert ready.wait(timeout=60)
                grpc.channel_ready_future(channel).result(timeout=60)
        channel.unsubscribe(of_alice)
        channel.unsubscribe(of_bob)
        for thread in set(threading.enumerate()) - before:
            thread.join(60)  # gRPC's looks every 0.2 seconds whether anyone still does

    assert set(found) == {"outside"}


def test_with_asyncio_callbacks_and_requests_have_the_caller_of_their_call(world):
    found = []

    async def requests():
        found.append(("request", caller()))
        yield b"/slow/0.1"

    async def work():
        async with aio_insecure_channel(
            target_of(world, "plain"), destinations=world.destinations()
        ) as channel:
            with as_alice():
                first = channel.unary_unary(METHOD)(b"/slow/60/first")
                # It arrives in another thread.
                while "/slow/60/first" not in [each.path for each in world.arrivals()]:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            with acting_as(AS_BOB, bindings=()):
                for kind in ("unary_unary", "unary_stream", *STREAMED):
                    call = getattr(channel, kind)(method(kind))(
                        requests() if kind in STREAMED else b"/slow/0.1"
                    )
                    done = asyncio.Event()
                    call.add_done_callback(lambda _call: found.append(("done", caller())))
                    call.add_done_callback(lambda _call, done=done: done.set())
                    if kind.endswith("stream"):
                        async for _ in call:
                            pass
                    else:
                        await call
                    await done.wait()
            first.cancel()

    asyncio.run(work())

    assert found == [
        *[("done", AS_BOB[1])] * 2,
        *[("request", AS_BOB[1]), ("done", AS_BOB[1])] * 2,
    ]
