"""httpx and httpx2: the suite that every client passes, and what is their own."""

import asyncio
import json
from functools import partial

import httpx
import httpx2
import pytest
from tests.clients.drivers import driver
from tests.clients.suite import Bench, cases_for
from tests.clients.suite.proxy import recording_proxy

from passthrough_auth.clients import httpx as our_httpx
from passthrough_auth.clients import httpx2 as our_httpx2
from passthrough_auth.clients._shared import NoCookies
from passthrough_auth.core import (
    ConfigurationError,
    DestinationNotAllowed,
    Destinations,
    acting_as,
)

DRIVERS = [driver(name) for name in ("httpx", "httpx-async", "httpx2", "httpx2-async")]


@pytest.mark.parametrize(
    ("client", "case"),
    [(client, case) for client in DRIVERS for case in cases_for(client)],
    ids=str,
)
def test_conformance(client, case, world):
    case.run(Bench(client, world))


# --- Their own ------------------------------------------------------------------------------------

ALICE = ("authorization", "Bearer alice-token")


def as_alice():
    return acting_as(ALICE, bindings=())


BOTH = pytest.mark.parametrize(
    ("library", "ours"), [(httpx, our_httpx), (httpx2, our_httpx2)], ids=["httpx", "httpx2"]
)


@BOTH
@pytest.mark.parametrize(
    "option",
    [
        {"mounts": {}},
        {"proxies": {"all://": None}},
        {"trust_env": True},
        {"cookies": {"a": "b"}},
        {"auth": ("app", "password")},
    ],
    ids=lambda option: next(iter(option)),
)
def test_an_option_that_leads_around_the_boundary_is_refused(library, ours, option):
    destinations = Destinations("https://a.example")

    for make in (ours.caller_client, ours.async_caller_client):
        with pytest.raises(ConfigurationError, match=next(iter(option))):
            make(destinations, **option)


@BOTH
def test_a_ca_bundle_that_the_environment_names_is_trusted(library, ours, world, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", world.ca_file)
    with ours.caller_client(world.destinations()) as client, as_alice():
        assert client.get(world.url("named")).status_code == 200


@BOTH
@pytest.mark.parametrize(
    "option", [{"verify": False}, {"proxy": "http://p:1"}, {"environment_proxies": True}]
)
def test_an_option_of_the_transports_is_refused_beside_one(library, ours, option):
    """It would be dropped without a word."""
    destinations = Destinations("https://a.example")
    transport = library.MockTransport(lambda _request: library.Response(200))
    (name,) = option

    for make in (ours.caller_client, ours.async_caller_client):
        with pytest.raises(ConfigurationError, match=f"{name}= can't be given beside transport="):
            make(destinations, transport=transport, **option)


@BOTH
def test_proxied_describes_a_transport_of_the_apps_own(library, ours):
    destinations = Destinations("https://a.example")
    for make in (
        ours.caller_client,
        ours.async_caller_client,
        ours.CallerTransport,
        ours.AsyncCallerTransport,
    ):
        with pytest.raises(ConfigurationError, match="describes a transport of your own"):
            make(destinations, proxied=False)
        with pytest.raises(ConfigurationError, match="True or False, not 'no'"):
            make(destinations, transport=library.MockTransport(lambda _request: None), proxied="no")


def called(library, ours, how, world, url, *, proxy=None, **said):
    """The response for a client with a transport of the app's own, called as Alice."""
    if not how.endswith("async"):
        inner = library.HTTPTransport(verify=world.verify(), proxy=proxy)
        if how == "client":
            made = ours.caller_client(world.destinations(), transport=inner, **said)
        else:
            made = library.Client(
                transport=ours.CallerTransport(world.destinations(), inner, **said)
            )
        with made as client, as_alice():
            return client.get(url)

    async def call():
        inner = library.AsyncHTTPTransport(verify=world.verify(), proxy=proxy)
        if how == "client-async":
            made = ours.async_caller_client(world.destinations(), transport=inner, **said)
        else:
            carrying = ours.AsyncCallerTransport(world.destinations(), inner, **said)
            made = library.AsyncClient(transport=carrying)
        async with made as client:
            with as_alice():
                return await client.get(url)

    return asyncio.run(call())


@BOTH
@pytest.mark.parametrize("how", ["client", "transport", "client-async", "transport-async"])
@pytest.mark.parametrize("said", [{}, {"proxied": True}], ids=["not said", "said"])
def test_a_transport_that_leads_through_a_proxy_shows_it_nothing(library, ours, how, said, world):
    """That isn't known here, so plain http is refused unless the app writes proxied=False."""
    call = partial(called, library, ours, how, world, **said)
    with recording_proxy() as proxy:
        with pytest.raises(DestinationNotAllowed) as refused:
            call(world.url("plain"), proxy=proxy.url)
        assert proxy.seen == []
        response = call(world.url("named"), proxy=proxy.url)

        assert [head.split(" ")[0] for head in proxy.seen] == ["CONNECT"]
    assert response.json()["headers"]["authorization"] == ALICE[1]
    assert ("write proxied=False" in str(refused.value)) == (not said)


@BOTH
@pytest.mark.parametrize("how", ["client", "transport", "client-async", "transport-async"])
def test_a_transport_that_leads_through_none_carries_plain_http_too(library, ours, how, world):
    response = called(library, ours, how, world, world.url("plain"), proxied=False)

    assert response.json()["headers"]["authorization"] == ALICE[1]


@BOTH
def test_a_client_of_the_apps_own_keeps_no_cookies_through_the_transport(library, ours, world):
    """Its jar is shared by all callers, so Set-Cookie doesn't reach it."""
    inner = library.HTTPTransport(verify=world.verify())
    transport = ours.CallerTransport(world.destinations(), inner)
    with library.Client(transport=transport) as client:
        for _ in range(2):
            with as_alice():
                response = client.get(world.url("named"))

    assert "cookie" not in response.json()["headers"]
    assert "set-cookie" not in response.headers


@BOTH
def test_the_same_for_an_asynchronous_client(library, ours, world):
    async def call():
        inner = library.AsyncHTTPTransport(verify=world.verify())
        transport = ours.AsyncCallerTransport(world.destinations(), inner)
        async with library.AsyncClient(transport=transport) as client:
            with as_alice():
                await client.get(world.url("named"))
                return await client.get(world.url("named"))

    response = asyncio.run(call())

    assert "cookie" not in response.json()["headers"]
    assert response.json()["headers"]["authorization"] == ALICE[1]


@BOTH
def test_a_transport_alone_makes_one_of_its_own(library, ours):
    ours.CallerTransport(Destinations("https://a.example")).close()
    asyncio.run(ours.AsyncCallerTransport(Destinations("https://a.example")).aclose())


@BOTH
def test_a_cookie_cannot_be_put_on_the_client(library, ours):
    with (
        ours.caller_client(Destinations("https://a.example")) as client,
        pytest.raises(ConfigurationError, match="keeps no cookies"),
    ):
        client.cookies.set("session", "planted-value")


@BOTH
@pytest.mark.parametrize("make", ["caller_client", "async_caller_client"])
@pytest.mark.parametrize("jar", [{}, {"app": "own"}, None])
def test_another_jar_cannot_be_put_on_the_client(library, ours, make, jar):
    """One caller's cookies would go with another's call, the app's own in place of a caller's."""
    client = getattr(ours, make)(Destinations("https://a.example"))
    with pytest.raises(ConfigurationError, match="cookies can't be set"):
        client.cookies = jar

    assert isinstance(client.cookies.jar, NoCookies)


@BOTH
@pytest.mark.parametrize("make", ["caller_client", "async_caller_client"])
def test_what_would_act_in_place_of_every_caller_is_refused(library, ours, make):
    make_client, destinations = getattr(ours, make), Destinations("https://a.example")
    client = make_client(destinations, headers={"x-app": "jobs"}, base_url="https://a.example/v1")

    with pytest.raises(ConfigurationError, match="auth can't be set"):
        client.auth = ("app", "password")
    for name in ("Authorization", b"COOKIE"):
        with pytest.raises(ConfigurationError, match="take the place of each caller's"):
            make_client(destinations, headers={name: "Bearer app"})
    with pytest.raises(DestinationNotAllowed):
        make_client(destinations, base_url="https://b.example")


@BOTH
def test_a_transport_of_the_other_kind_is_refused_with_the_one_to_write(library, ours):
    destinations = Destinations("https://a.example")
    of_sync, of_async = library.HTTPTransport(), library.AsyncHTTPTransport()
    for make in (ours.caller_client, ours.CallerTransport):
        with pytest.raises(ConfigurationError) as caught:
            make(destinations, transport=of_async)
        assert str(caught.value) == (
            f"transport= takes an {library.__name__}.BaseTransport here, which AsyncHTTPTransport "
            "is not: write one such as HTTPTransport or CallerTransport"
        )
    for make in (ours.async_caller_client, ours.AsyncCallerTransport):
        for given in (of_sync, ours.CallerTransport(destinations, of_sync)):
            with pytest.raises(ConfigurationError) as caught:
                make(destinations, transport=given)
            assert str(caught.value) == (
                f"transport= takes an {library.__name__}.AsyncBaseTransport here, which "
                f"{type(given).__name__} is not: write one such as AsyncHTTPTransport or "
                "AsyncCallerTransport"
            )


@BOTH
def test_what_the_app_can_see_of_a_request_holds_no_credential(library, ours, world):
    """Responses and errors show the request: logs and error reports take it from there."""
    with ours.caller_client(
        world.destinations(), verify=world.verify(), follow_redirects=True
    ) as client:
        with as_alice():
            response = client.get(world.redirect("named", world.url("second")))
        for each in (*response.history, response):
            assert "authorization" not in each.request.headers
            assert ALICE[1] not in repr(each.request.extensions)


@BOTH
def test_a_redirect_followed_by_hand_is_a_hop_of_the_same_call(library, ours, world):
    world.clear()
    pairs = (ALICE, ("x-team-token", "alice-team"))
    with (
        ours.caller_client(world.destinations(on_conflict="app"), verify=world.verify()) as client,
        acting_as(*pairs, bindings=()),
    ):
        url = world.redirect("named", world.url("stranger"))
        response = client.get(url, headers={"x-team-token": "app-own"})
        client.send(response.next_request)

    assert [each.credentials() for each in world.arrivals()][-1] == {}


@BOTH
def test_a_request_sent_again_is_sent_as_whoever_sends_it(library, ours, world):
    """A request made once and sent for two callers."""
    with ours.caller_client(world.destinations(), verify=world.verify()) as client:
        request = client.build_request("GET", world.url("named"))
        seen = []
        for name in ("alice", "bob"):
            with acting_as(("authorization", f"Bearer {name}"), bindings=()):
                seen.append(client.send(request).json()["headers"]["authorization"])

    assert seen == ["Bearer alice", "Bearer bob"]


@BOTH
def test_the_librarys_own_retries_carry_the_caller(library, ours, world):
    with (
        ours.caller_client(world.destinations(), verify=world.verify(), retries=2) as client,
        as_alice(),
    ):
        response = client.get(world.url("named"))

    assert response.json()["headers"]["authorization"] == ALICE[1]


@BOTH
def test_a_streamed_body_is_sent_and_a_streamed_answer_read(library, ours, world):
    with (
        ours.caller_client(world.destinations(), verify=world.verify()) as client,
        as_alice(),
        client.stream("POST", world.url("named"), content=iter([b"a", b"b"])) as response,
    ):
        body = b"".join(response.iter_bytes())

    assert json.loads(body)["headers"]["authorization"] == ALICE[1]


@BOTH
def test_a_header_added_to_the_client_later_is_refused_at_the_call(library, ours, world):
    with ours.caller_client(world.destinations(), verify=world.verify()) as client:
        client.headers["authorization"] = "Bearer of-the-app"
        with as_alice(), pytest.raises(ConfigurationError, match="two identities"):
            client.get(world.url("named"))
