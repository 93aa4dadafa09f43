"""aiohttp: the suite that every client passes, and what is its own."""

import asyncio
import contextvars
import gc

import aiohttp
import pytest
from tests.clients.aiohttp_connector import connector
from tests.clients.drivers import driver
from tests.clients.suite import Bench, cases_for

from passthrough_auth.clients.aiohttp import caller_session
from passthrough_auth.core import (
    ConfigurationError,
    DestinationNotAllowed,
    Destinations,
    acting_as,
)

AIOHTTP = driver("aiohttp")


@pytest.mark.parametrize("case", cases_for(AIOHTTP), ids=str)
def test_conformance(case, world):
    case.run(Bench(AIOHTTP, world))


# --- Its own --------------------------------------------------------------------------------------

ALICE = ("authorization", "Bearer alice-token")


def as_alice():
    return acting_as(ALICE, bindings=())


def run(world, use, **options):
    """Run `use(session)` as Alice with a session for the named origins."""

    async def work():
        async with (
            connector(world) as connects,
            # Where the app sets a header of its own, it calls alone.
            caller_session(
                world.destinations(on_conflict="app"), connector=connects, **options
            ) as session,
        ):
            with as_alice():
                return await use(session)

    return asyncio.run(work())


@pytest.mark.parametrize("option", ["trust_env", "cookies", "cookie_jar", "auth"])
def test_an_option_that_leads_around_the_boundary_is_refused(option):
    with pytest.raises(ConfigurationError, match=option):
        caller_session(Destinations("https://a.example"), **{option: object()})


def test_an_error_shows_no_credential(world):
    """aiohttp's errors show the headers of the request that they are about."""

    async def use(session):
        async with session.get(world.url("named", "/flaky/aiohttp-error")) as response:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                response.raise_for_status()
            return caught.value, response.request_info

    error, info = run(world, use)

    assert ALICE[1] not in repr(error) + repr(info)


def test_an_own_header_is_still_shown(world):
    async def use(session):
        own = {"Authorization": "Basic own"}
        async with session.get(world.url("named"), headers=own) as response:
            return response.request_info

    assert run(world, use).headers["Authorization"] == "Basic own"


def test_middlewares_of_the_app_run_before_and_may_call_themselves(world):
    """One that fetches something with the same session on the way, as token refreshers do."""
    world.clear()

    async def asks_first(request, handler):
        if "nested" not in str(request.url):
            async with request.session.get(world.url("second", "/nested")) as response:
                await response.read()
        return await handler(request)

    async def use(session):
        url = world.redirect("named", world.url("stranger"))
        async with session.get(url) as response:
            await response.read()

    run(world, use, middlewares=(asks_first,))

    assert [(each.origin, each.credentials()) for each in world.arrivals()] == [
        ("second", dict([ALICE])),
        ("named", dict([ALICE])),
        ("second", dict([ALICE])),
        ("stranger", {}),
    ]


def fetched(world, url, *middlewares, **options):
    """The status of a call, and where each of its hops arrived with which credentials."""

    async def use(session):
        async with session.get(url, **options) as response:
            return response.status

    world.clear()
    status = run(world, use, middlewares=middlewares)
    return status, [(each.origin, each.credentials()) for each in world.arrivals()]


async def refreshes(request, handler):
    """As token refreshers do: a 401 is answered with a token and a cookie of the app's own."""
    response = await handler(request)
    if response.status == 401:
        request.headers.update({"Authorization": "Bearer fresh", "Cookie": "app=fresh"})
        response = await handler(request)
    return response


async def signs(request, handler):
    """As services with signed requests want it: every hop has headers of its own."""
    path = request.url.path
    request.headers.update({"Authorization": f"Signed {path}", "Cookie": f"signed={path}"})
    return await handler(request)


FRESH = {"authorization": "Bearer fresh", "cookie": "app=fresh"}


def test_what_a_middleware_of_the_app_sets_on_a_second_try_is_sent(world):
    url = world.url("named", "/asks-for/Bearer fresh")

    assert fetched(world, url, refreshes) == (200, [("named", dict([ALICE])), ("named", FRESH)])


def test_a_second_try_after_a_redirect_within_the_origin_is_sent(world):
    url = world.redirect("named", world.url("named", "/asks-for/Bearer fresh"))

    status, hops = fetched(world, url, refreshes)

    assert status == 200
    assert hops == [("named", dict([ALICE]))] * 2 + [("named", FRESH)]


@pytest.mark.parametrize(
    ("origin", "carried"), [("second", dict([ALICE])), ("stranger", {}), ("neighbour", {})]
)
def test_a_second_try_at_another_origin_carries_nothing_of_the_apps(world, origin, carried):
    url = world.redirect("named", world.url(origin, "/asks-for/Bearer fresh"))

    status, hops = fetched(world, url, refreshes)

    assert status == 401
    assert hops == [("named", dict([ALICE]))] + [(origin, carried)] * 2


def test_digest_authentication_of_the_apps_own_is_sent(world):
    """On a second try too: the challenge of the first is what it answers."""
    digest = aiohttp.DigestAuthMiddleware("app", "password")
    status, hops = fetched(world, world.url("named", "/asks-for/Digest"), digest)

    assert status == 200
    assert hops[0] == ("named", dict([ALICE]))
    assert hops[1][1]["authorization"].startswith('Digest username="app"')


def test_each_hop_may_be_signed_anew_within_the_origin(world):
    signed = [
        ("named", {"authorization": f"Signed {path}", "cookie": f"signed={path}"})
        for path in ("/to/302", "/whoami")
    ]
    assert fetched(world, world.redirect("named", "/whoami"), signs) == (200, signed)
    for origin, carried in [("second", dict([ALICE])), ("stranger", {})]:
        url = world.redirect("named", world.url(origin))
        assert fetched(world, url, signs) == (200, [signed[0], (origin, carried)])


@pytest.mark.parametrize("origin", ["named", "second", "stranger"])
@pytest.mark.parametrize("middleware", [signs, refreshes])
def test_a_user_name_in_a_redirect_is_nobodys_whatever_a_middleware_sets(world, origin, middleware):
    url = world.url(origin, "/asks-for/Bearer fresh")
    url = world.redirect("named", url.replace("://", "://mallory:password@"))

    status, hops = fetched(world, url, middleware)

    assert status == 401
    assert len(hops) > 1
    assert {where for where, _ in hops[1:]} == {origin}
    assert [carried for _, carried in hops[1:] if carried] == []


def test_a_middleware_that_leaves_the_context_of_its_call_is_refused(world):
    """There, nothing tells a redirect from the beginning of another call."""
    world.clear()

    async def leaves(request, handler):
        return await asyncio.create_task(handler(request), context=contextvars.Context())

    with pytest.raises(ConfigurationError, match=r"leave the context to asyncio.create_task"):
        fetched(world, world.url("named"), leaves)

    assert world.arrivals() == []


def test_a_middleware_that_calls_on_in_a_task_stays_in_the_call(world):
    async def in_a_task(request, handler):
        return await asyncio.create_task(handler(request))

    for origin, carried in [("second", dict([ALICE])), ("stranger", {})]:
        url = world.redirect("named", world.url(origin))
        hops = [("named", dict([ALICE])), (origin, carried)]
        assert fetched(world, url, in_a_task) == (200, hops)


# aiohttp doesn't close a connection that it was about to use again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_middlewares_given_with_a_request_that_replace_ours_are_refused(world):
    """By aiohttp's rule nothing of ours would see that call, or where a redirect takes it."""
    world.clear()

    async def use(session):
        with pytest.raises(ConfigurationError, match="give them to caller_session"):
            await session.get(world.url("named"), middlewares=())
        # And once there is a connection to use again.
        async with session.get(world.url("named")) as response:
            await response.read()
        with pytest.raises(ConfigurationError, match="give them to caller_session"):
            await session.get(world.url("named"), middlewares=())

    run(world, use)
    gc.collect()
    assert len(world.arrivals()) == 1


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer app"}, [("cookie", "app=1")]])
def test_a_header_for_all_callers_is_refused(headers):
    async def make():
        caller_session(Destinations("https://a.example"), headers=headers)

    with pytest.raises(ConfigurationError, match="take the place of each caller's"):
        asyncio.run(make())


def test_a_base_url_that_is_not_named_is_refused():
    async def make(url):
        return caller_session(Destinations("https://a.example"), base_url=url)

    with pytest.raises(DestinationNotAllowed):
        asyncio.run(make("https://b.example"))


def test_traces_of_the_app_are_kept(world):
    began = []
    trace = aiohttp.TraceConfig()

    async def on_start(session, context, params):
        began.append(params.url)

    trace.on_request_start.append(on_start)

    async def use(session):
        async with session.get(world.url("named")) as response:
            await response.read()

    run(world, use, trace_configs=[trace])

    assert [str(url) for url in began] == [world.url("named")]


def test_two_sessions_in_one_task_keep_their_calls_apart(world):
    async def work():
        async with (
            connector(world) as one,
            connector(world) as another,
            caller_session(world.destinations(), connector=one) as outer,
            caller_session(world.destinations(), connector=another) as inner,
        ):
            with as_alice():
                async with (
                    outer.get(world.url("named")),
                    inner.get(world.url("second")) as response,
                ):
                    return (await response.json())["headers"]["authorization"]

    assert asyncio.run(work()) == ALICE[1]
