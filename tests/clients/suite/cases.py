"""The cases, which hold for every client. Each is a function with its reason as the docstring.

A case opens a client outside of any request, shares it between callers as an app does, and looks at
the requests that arrived at the servers.
"""

import asyncio
import os
import socket
import tempfile
import threading
import time
import traceback
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from passthrough_auth.core import (
    ConfigurationError,
    Credentials,
    Destination,
    DestinationNotAllowed,
    Destinations,
    NoCaller,
    PassthroughAuthError,
    acting_as,
    snapshot,
)
from passthrough_auth.core.caller import CallerScope
from passthrough_auth.core.inbound import AsgiRequest, Gate

from .model import As, Call, Driver, Feature, Reply
from .proxy import recording_proxy
from .world import LocalWorld

Pairs = tuple[tuple[str, str], ...]


def pairs_of(name: str) -> Pairs:
    """The credentials of a caller of that name."""
    return (
        ("authorization", f"Bearer {name}-token"),
        ("cookie", f"login={name}-cookie"),
        ("x-team-token", f"{name}-team"),
    )


ALICE: Final = pairs_of("alice")
BOB: Final = pairs_of("bob")
TOKEN_ONLY: Final = (("authorization", "Bearer carol-token"),)
COOKIE_ONLY: Final = (("cookie", "login=dave-cookie"),)
OWN: Final = {"Authorization": "Basic app-own", "Cookie": "app=own", "X-Team-Token": "app-own"}
OWN_ARRIVED: Final = {name.lower(): value for name, value in OWN.items()}
NOTHING: Final[dict[str, str]] = {}
_PATIENCE = 10.0  # seconds


def acting(pairs: Pairs) -> AbstractContextManager[Credentials]:
    """Act as the caller with these credentials."""
    return acting_as(*pairs, bindings=())


@dataclass(frozen=True, slots=True)
class Bench:
    """One client library, and the servers to try it against."""

    driver: Driver
    world: LocalWorld

    def open(
        self,
        destinations: Destinations | None = None,
        base_url: str | None = None,
        **options: bool,
    ) -> AbstractContextManager[Any]:
        """A client for the named origins, or for those given."""
        named = self.world.destinations() if destinations is None else destinations
        return self.driver.open(self.world, named, base_url, **options)

    def fetch(self, client: Any, pairs: Pairs, url: str, **options: Any) -> Reply:
        """Call as the caller with these credentials."""
        with acting(pairs):
            return self.driver.fetch(client, Call(url, **options))

    def settle(self, path: str) -> None:
        """Wait for the request of a call that was given up, which would arrive in a later case."""
        deadline = time.monotonic() + _PATIENCE
        while path not in [each.path for each in self.world.arrivals()]:
            if time.monotonic() > deadline:
                return  # given up before it was sent
            time.sleep(0.005)

    def arrived(self) -> list[tuple[str, dict[str, str]]]:
        """Each hop since the case began: where it arrived, and the credentials it had."""
        return [(each.origin, each.credentials()) for each in self.world.arrivals()]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that must hold, for every client with these features."""

    name: str
    why: str
    check: Callable[[Bench], None]
    needs: frozenset[Feature]

    def run(self, bench: Bench) -> None:
        """Raise `AssertionError`, or another error that the client raised."""
        bench.world.clear()
        self.check(bench)

    def __str__(self) -> str:
        return self.name


CASES: list[Case] = []


def case(*needs: Feature) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Add a function to the cases."""

    def add(check: Callable[[Bench], None]) -> Callable[[Bench], None]:
        why = (check.__doc__ or "").strip()
        CASES.append(Case(check.__name__, why, check, frozenset(needs)))
        return check

    return add


def cases_for(driver: Driver) -> list[Case]:
    """The cases that a client with this driver's features has to pass."""
    return [each for each in CASES if each.needs <= driver.features]


def raised(act: Callable[[], object]) -> Exception:
    """The error that this raised. Raises `AssertionError` if there was none."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - the case looks at it
        return error
    raise AssertionError("it raised nothing")


@contextmanager
def environment(**values: str) -> Generator[None]:
    """Set environment variables for a while, in both spellings."""
    both = {**values, **{name.lower(): value for name, value in values.items()}}
    before = {name: os.environ.get(name) for name in both}
    os.environ.update(both)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# --- The caller is sent ---------------------------------------------------------------------------


@case()
def a_named_origin_is_sent_the_caller(bench: Bench) -> None:
    """This is the purpose of every client."""
    with bench.open() as client:
        reply = bench.fetch(client, ALICE, bench.world.url("named"))

    assert reply.credentials() == dict(ALICE)
    assert bench.arrived() == [("named", dict(ALICE))]


@case()
def each_origin_is_sent_what_is_chosen_for_it(bench: Bench) -> None:
    """Renaming belongs to the destination, not to the client."""
    send = {"x-team-token": "Authorization: Bearer {value}"}
    destinations = Destinations(
        Destination(bench.world.root("named"), send=send),
        Destination(bench.world.root("plain"), send=["cookie"]),
    )
    with bench.open(destinations) as client:
        renamed = bench.fetch(client, ALICE, bench.world.url("named"))
        chosen = bench.fetch(client, ALICE, bench.world.url("plain"))

    assert renamed.credentials() == {"authorization": "Bearer alice-team"}
    assert chosen.credentials() == {"cookie": "login=alice-cookie"}


@case()
def one_client_serves_each_caller_in_turn(bench: Bench) -> None:
    """A client made and first used while serving Alice must not be hers."""
    url = bench.world.url("named")
    destinations = Destinations(
        Destination(bench.world.root("named"), on_missing="anonymous"), bench.world.root("plain")
    )
    with acting(ALICE):
        opened = bench.open(destinations)
        client = opened.__enter__()
        first = bench.driver.fetch(client, Call(url))
    try:
        second = bench.fetch(client, BOB, url)
        with CallerScope(None, "public").active():
            nobody = bench.driver.fetch(client, Call(url))
        third = bench.fetch(client, ALICE, url)
    finally:
        opened.__exit__(None, None, None)

    seen = [reply.credentials() for reply in (first, second, nobody, third)]
    assert seen == [dict(ALICE), dict(BOB), NOTHING, dict(ALICE)]


_APPS: Final = (
    {"Authorization": "Bearer app-own"},
    {"X-Api-Key": "app-own"},
    {"PRIVATE-TOKEN": "app-own"},
    {"authorization": "Bearer app-own", "x-api-key": "app-own"},
)
_CALLERS: Final = (ALICE, TOKEN_ONLY, COOKIE_ONLY)


@case()
def two_identities_are_refused_before_anything_is_sent(bench: Bench) -> None:
    """An SDK's key beside a caller's cookie would make the app act for everybody, in silence."""
    url = bench.world.url("named")
    with bench.open() as client:
        for own in _APPS:
            for pairs in _CALLERS:
                error = raised(partial(bench.fetch, client, pairs, url, headers=own))
                assert isinstance(error, ConfigurationError), error
                assert "on_conflict='caller'" in str(error)
                assert "app-own" not in str(error)

    assert bench.arrived() == []


@case()
def the_caller_alone_calls_where_the_destination_says_so(bench: Bench) -> None:
    """Never with what the app has set, not even where the caller has nothing of that name."""
    url = bench.world.url("named")
    with bench.open(bench.world.destinations(on_conflict="caller")) as client:
        for own in _APPS:
            for pairs in _CALLERS:
                assert bench.fetch(client, pairs, url, headers=own).credentials() == dict(pairs)


@case()
def the_app_alone_calls_where_the_destination_says_so(bench: Bench) -> None:
    """With nothing of the caller's."""
    url = bench.world.url("named")
    with bench.open(bench.world.destinations(on_conflict="app")) as client:
        for own in _APPS:
            arrived = {name.lower(): value for name, value in own.items()}
            for pairs in _CALLERS:
                assert bench.fetch(client, pairs, url, headers=own).credentials() == arrived
        # Without an identity of the app's, the caller calls.
        assert bench.fetch(client, ALICE, url).credentials() == dict(ALICE)


@case()
def what_an_sdk_always_sets_is_dropped_or_travels_beside(bench: Bench) -> None:
    """A gateway's key identifies the app, the token the user."""
    url = bench.world.url("named")
    own = {"X-Api-Key": "app-own", "Private-Token": "dropped"}
    named = bench.world.destinations(drop=["PRIVATE-TOKEN"], beside=["x-API-key"])
    with bench.open(named) as client:
        for pairs in _CALLERS:
            reply = bench.fetch(client, pairs, url, headers=own)
            assert reply.credentials() == {**dict(pairs), "x-api-key": "app-own"}


@case()
def a_header_equal_to_the_callers_is_no_conflict(bench: Bench) -> None:
    """An app that copies it by hand goes on working."""
    with bench.open() as client:
        own = {"Authorization": dict(ALICE)["authorization"]}
        reply = bench.fetch(client, ALICE, bench.world.url("named"), headers=own)

    assert reply.credentials() == dict(ALICE)


@case()
def threads_of_an_sdk_have_the_caller_of_bound_destinations(bench: Bench) -> None:
    """A helper that starts threads of its own: neither they nor their work are ours to wrap."""
    url = bench.world.url("named")
    found: list[dict[str, str]] = []
    with acting(ALICE):
        job = snapshot()
    with bench.open(bench.world.destinations().bound_to(job)) as client:

        def call() -> None:
            found.append(bench.driver.fetch(client, Call(url)).credentials())

        for _ in range(2):
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
        # Nobody else, also where somebody else is served.
        found.append(bench.fetch(client, BOB, url).credentials())
    assert found == [dict(ALICE)] * 3


@case("refusals")
def an_upstream_that_refuses_the_caller_is_the_answer(bench: Bench) -> None:
    """What the library raises for its 401 or 403, left uncaught, or as the cause of another."""
    gate = Gate(bindings=())
    request = AsgiRequest({"type": "http", "method": "GET", "path": "/", "headers": []})
    with bench.open() as client:
        for status, detail in ((401, "not accepted"), (403, "Permission denied")):
            url = bench.world.url("named", f"/status/{status}")
            error = raised(partial(bench.fetch, client, TOKEN_ONLY, url, raises=True))
            for each in (error, _caused_by(error)):
                refusal = gate.refusal_for(request, each)
                assert refusal is not None, repr(error)
                assert refusal.status == status
                assert detail in refusal.body.decode()
        # Without the caller, or with another status, it is the app's own error.
        for found, pairs in ((404, TOKEN_ONLY), (401, COOKIE_ONLY), (403, COOKIE_ONLY)):
            url = bench.world.url("named", f"/status/{found}")
            with bench.open(
                bench.world.destinations(send=["authorization"], on_missing="anonymous")
            ) as narrow:
                error = raised(partial(bench.fetch, narrow, pairs, url, raises=True))
            assert not isinstance(error, PassthroughAuthError)
            assert gate.refusal_for(request, error) is None, repr(error)


def _caused_by(error: BaseException) -> BaseException:
    other = RuntimeError("the app's own")
    other.__cause__ = error
    return other


@case()
def a_thread_with_a_snapshot_has_the_caller_and_one_without_has_none(bench: Bench) -> None:
    """Plain threads don't inherit context variables."""
    url = bench.world.url("named")
    found: list[object] = []
    with bench.open() as client:

        def call() -> None:
            try:
                found.append(bench.driver.fetch(client, Call(url)).credentials())
            except NoCaller as absent:
                found.append(absent.reason)

        with acting(ALICE):
            caller = snapshot()
        for work in (call, lambda: caller.run(call)):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        caller.close()

    assert found == ["outside", dict(ALICE)]


# --- Refused before anything is sent --------------------------------------------------------------


@case()
def an_origin_that_is_not_named_is_refused(bench: Bench) -> None:
    """Nothing is sent, and the error text has the line that names the origin."""
    strangers = ("stranger", "neighbour", "plain-stranger", "plain-neighbour")
    with bench.open() as client:
        for name in strangers:
            url = bench.world.url(name)
            error = raised(partial(bench.fetch, client, ALICE, url))
            assert isinstance(error, DestinationNotAllowed), error
            assert f"Destinations(..., '{bench.world.root(name)}')" in str(error)

    assert bench.arrived() == []


@case()
def plain_http_to_another_machine_is_refused(bench: Bench) -> None:
    """Everyone on the way can read it. The address is one for documentation (RFC 5737)."""
    with bench.open() as client:
        error = raised(lambda: bench.fetch(client, ALICE, "http://192.0.2.1:80/"))

    assert isinstance(error, DestinationNotAllowed), error
    # Or the encrypting function, for a client that permits nothing else.
    assert "plain_http=True" in str(error) or "secure_channel(" in str(error)


def _no_caller(bench: Bench, reason: str) -> None:
    with bench.open() as client:
        error = raised(lambda: bench.driver.fetch(client, Call(bench.world.url("named"))))

    assert isinstance(error, NoCaller), error
    assert error.reason == reason
    assert bench.arrived() == []


@case()
def outside_of_a_request_there_is_no_caller(bench: Bench) -> None:
    """Code outside of a request has to name the caller itself, or do without."""
    _no_caller(bench, "outside")


@case()
def a_public_path_has_no_caller(bench: Bench) -> None:
    """The credentials of its request are not read."""
    with CallerScope(None, "public").active():
        _no_caller(bench, "public")


@case()
def an_ended_request_has_no_caller(bench: Bench) -> None:
    """Code that still runs in a copy of its context must not act as a caller who is gone."""
    hold = CallerScope(Credentials(*ALICE))
    with hold.active():
        hold.close()
        _no_caller(bench, "ended")


@case()
def an_anonymous_call_on_a_public_path_carries_nothing(bench: Bench) -> None:
    """Asked for by name, for services that answer everyone."""
    with (
        CallerScope(None, "public").active(),
        bench.open(bench.world.destinations(on_missing="anonymous")) as client,
    ):
        reply = bench.driver.fetch(client, Call(bench.world.url("named")))

    assert reply.credentials() == NOTHING


# --- Errors of the library ------------------------------------------------------------------------


@case()
def a_refused_connection_is_the_librarys_own_error(bench: Bench) -> None:
    """Nothing is wrapped or hidden, and its text has no credential in it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        root = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with bench.open(Destinations(root)) as client:
            error = raised(lambda: bench.fetch(client, ALICE, f"{root}/"))

    assert isinstance(error, bench.driver.refused), repr(error)
    assert not isinstance(error, PassthroughAuthError)
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert not [value for _, value in ALICE if value in shown]


@case()
def a_timeout_is_the_librarys_own_error(bench: Bench) -> None:
    """The client waits no longer than it was told to."""
    with bench.open() as client:
        # Connected before: the patience is for the answer.
        bench.fetch(client, ALICE, bench.world.url("named"))
        url = bench.world.url("named", "/slow/60")
        error = raised(lambda: bench.fetch(client, ALICE, url, timeout=0.3))
        bench.settle("/slow/60")

    assert isinstance(error, bench.driver.timed_out), repr(error)


@case("cancellation")
def a_cancelled_call_raises_cancellation(bench: Bench) -> None:
    """And the client goes on to serve the next caller."""
    with bench.open() as client:
        with acting(ALICE):
            error = bench.driver.cancel(client, Call(bench.world.url("named", "/slow/60")))
        bench.settle("/slow/60")
        reply = bench.fetch(client, BOB, bench.world.url("named"))

    assert isinstance(error, asyncio.CancelledError), repr(error)
    assert reply.credentials() == dict(BOB)


# --- Hops -----------------------------------------------------------------------------------------


def _followed(
    bench: Bench, url: str, destinations: Destinations | None = None, **options: Any
) -> list[tuple[str, dict[str, str]]]:
    with bench.open(destinations) as client:
        bench.fetch(client, ALICE, url, **options)
    return bench.arrived()


@case("http")
def a_redirect_within_the_origin_keeps_the_caller(bench: Bench) -> None:
    """It is the same service."""
    world = bench.world
    for status in (301, 302, 303, 307, 308):
        world.clear()
        hops = _followed(bench, world.redirect("named", world.url("named"), status=status))
        assert hops == [("named", dict(ALICE)), ("named", dict(ALICE))]


@case("http")
def a_relative_redirect_keeps_the_caller(bench: Bench) -> None:
    """The client resolves it before it is judged."""
    hops = _followed(bench, bench.world.redirect("named", "/whoami"))
    assert hops == [("named", dict(ALICE)), ("named", dict(ALICE))]


@case("http")
def a_redirect_to_another_named_origin_has_the_caller_there(bench: Bench) -> None:
    """The target is named. It doesn't matter where the call began."""
    hops = _followed(bench, bench.world.redirect("named", bench.world.url("second")))
    assert hops == [("named", dict(ALICE)), ("second", dict(ALICE))]


@case("http")
def a_redirect_to_another_host_carries_nothing(bench: Bench) -> None:
    """With every status, and custom headers included."""
    world = bench.world
    for status in (301, 302, 303, 307, 308):
        world.clear()
        hops = _followed(bench, world.redirect("named", world.url("stranger"), status=status))
        assert hops == [("named", dict(ALICE)), ("stranger", NOTHING)]


@case("http")
def a_redirect_to_another_port_carries_nothing(bench: Bench) -> None:
    """Another port is another origin, though cookies don't know that."""
    hops = _followed(bench, bench.world.redirect("named", bench.world.url("neighbour")))
    assert hops == [("named", dict(ALICE)), ("neighbour", NOTHING)]


@case("http")
def a_redirect_from_https_to_http_carries_nothing(bench: Bench) -> None:
    """The same host, and everyone on the way."""
    for target in ("plain-neighbour", "plain-stranger"):
        bench.world.clear()
        hops = _followed(bench, bench.world.redirect("named", bench.world.url(target)))
        assert hops == [("named", dict(ALICE)), (target, NOTHING)]


@case("http")
def a_redirect_from_http_to_https_is_judged_like_any_other(bench: Bench) -> None:
    """Some clients take an upgrade for the same origin."""
    for target, arrives in (("named", dict(ALICE)), ("neighbour", NOTHING)):
        bench.world.clear()
        hops = _followed(bench, bench.world.redirect("plain", bench.world.url(target)))
        assert hops == [("plain", dict(ALICE)), (target, arrives)]


@case("http")
def a_redirect_over_a_stranger_carries_nothing_back(bench: Bench) -> None:
    """The stranger chose what a named origin is asked, so that is not asked as the caller."""
    world = bench.world
    for status in (302, 307):
        world.clear()
        roots = [world.root("stranger"), world.root("plain")]
        hops = _followed(bench, world.redirect("named", *roots, world.url("named"), status=status))
        assert hops == [
            ("named", dict(ALICE)),
            ("stranger", NOTHING),
            ("plain", NOTHING),
            ("named", NOTHING),
        ]


@case("http")
def a_redirect_over_another_named_origin_has_the_caller_everywhere(bench: Bench) -> None:
    """Each of them is trusted with what it is sent, and with where it redirects."""
    world = bench.world
    hops = _followed(bench, world.redirect("named", world.root("plain"), world.url("named")))
    assert hops == [("named", dict(ALICE)), ("plain", dict(ALICE)), ("named", dict(ALICE))]


@case("http")
def what_the_app_set_stays_with_the_origin_it_was_set_for(bench: Bench) -> None:
    """Where the library would send it along to a stranger, and back."""
    world = bench.world
    hops = _followed(
        bench,
        world.redirect("named", world.root("stranger"), world.url("named")),
        world.destinations(on_conflict="app"),
        headers=OWN,
    )
    assert hops == [("named", OWN_ARRIVED), ("stranger", NOTHING), ("named", NOTHING)]


@case("http")
def what_the_app_set_is_not_taken_for_another_named_origin(bench: Bench) -> None:
    """It was set for the first origin."""
    hops = _followed(
        bench,
        bench.world.redirect("named", bench.world.url("second")),
        bench.world.destinations(on_conflict="app"),
        headers=OWN,
    )
    assert hops == [("named", OWN_ARRIVED), ("second", dict(ALICE))]


@case("http")
def what_the_app_set_is_kept_within_the_origin(bench: Bench) -> None:
    """As the library does. A Cookie header is dropped by some on any redirect."""
    own = {"Authorization": "Basic app-own", "X-Team-Token": "app-own"}
    named = bench.world.destinations(on_conflict="app")
    hops = _followed(bench, bench.world.redirect("named", "/whoami"), named, headers=own)
    arrived = {"authorization": "Basic app-own", "x-team-token": "app-own"}
    assert hops == [("named", arrived), ("named", arrived)]


@case("http")
def a_cookie_of_the_apps_is_not_followed_by_the_callers(bench: Bench) -> None:
    """Some drop it on a redirect. The app's token beside the caller's session would be of two."""
    named = bench.world.destinations(on_conflict="app")
    url = bench.world.redirect("named", "/to/302?url=/whoami")
    for others in ({"authorization": "Basic app-own"}, {}):
        bench.world.clear()
        own = {"Cookie": "app=own", **others}
        hops = _followed(bench, url, named, headers=own)
        cookies = [headers.pop("cookie", "dropped") for _, headers in hops]
        assert cookies[0] == "app=own"
        assert set(cookies) <= {"app=own", "dropped"}
        assert hops == [("named", others)] * 3


@case("http")
def a_body_sent_again_takes_no_credentials_along(bench: Bench) -> None:
    """307 and 308 repeat the method and the body."""
    world = bench.world
    for status in (307, 308):
        world.clear()
        url = world.redirect("named", world.url("stranger"), status=status)
        hops = _followed(bench, url, method="POST", body=b"x" * 10_000)
        assert hops == [("named", dict(ALICE)), ("stranger", NOTHING)]


@case("http")
def a_user_name_in_a_redirect_is_nobodys_identity(bench: Bench) -> None:
    """The server that redirects would choose the identity of the call."""
    for target in ("named", "second", "stranger"):
        bench.world.clear()
        url = bench.world.url(target).replace("://", "://mallory:password@")
        hops = _followed(bench, bench.world.redirect("named", url))
        assert hops == [("named", dict(ALICE)), (target, NOTHING)]


@case("http")
def a_user_name_in_the_url_is_refused(bench: Bench) -> None:
    """Clients send it in place of the caller's credentials."""
    with bench.open() as client:
        url = bench.world.url("named").replace("://", "://app:planted-password@")
        error = raised(lambda: bench.fetch(client, ALICE, url))

    assert isinstance(error, DestinationNotAllowed), error
    assert "planted-password" not in str(error)
    assert bench.arrived() == []


@case("http")
def a_location_of_two_readings_reaches_no_stranger_with_credentials(bench: Bench) -> None:
    """The library refuses some of these itself. Those that it sends must be clean."""
    named, stranger = bench.world.root("named"), bench.world.root("stranger")
    authority = stranger.partition("://")[2]
    for target in (
        f"{named}\\@{authority}/whoami",
        f"{named}@{authority}/whoami",
        f"{named}%40{authority}/whoami",
        f"{named};@{authority}/whoami",
        f"{named}\t@{authority}/whoami",
        f"//{authority}/whoami",
        f"/\\{authority}/whoami",
        f"\\\\{authority}/whoami",
        f"https:\\\\{authority}\\whoami",
        f"https:{authority}/whoami",
    ):
        bench.world.clear()
        url = bench.world.redirect("named", target)
        # Any error of the library is as good.
        with bench.open() as client, suppress(Exception):
            bench.fetch(client, ALICE, url, timeout=5.0)
        leaked = [hop for hop in bench.arrived() if hop[0] != "named" and hop[1]]
        assert leaked == [], target


@case("http")
def a_retry_carries_the_caller_again(bench: Bench) -> None:
    """The app makes the same call again after a 503."""
    url = bench.world.url("named", f"/flaky/{id(bench)}-{bench.driver}")
    with bench.open() as client:
        statuses = [bench.fetch(client, ALICE, url).status for _ in range(2)]

    assert statuses == [503, 200]
    assert bench.arrived() == [("named", dict(ALICE))] * 2


@case("http", "base_url")
def a_base_url_is_judged_as_part_of_the_url(bench: Bench) -> None:
    """And an absolute URL goes where it says, not where the base is."""
    with bench.open(base_url=bench.world.root("named")) as client:
        reply = bench.fetch(client, ALICE, "/whoami")
        other = bench.fetch(client, ALICE, bench.world.url("second"))
        error = raised(lambda: bench.fetch(client, ALICE, bench.world.url("stranger")))

    assert reply.credentials() == other.credentials() == dict(ALICE)
    assert isinstance(error, DestinationNotAllowed)
    assert bench.arrived() == [("named", dict(ALICE)), ("second", dict(ALICE))]


# --- Credentials from elsewhere -------------------------------------------------------------------


@case("http")
def a_cookie_that_one_caller_was_given_travels_with_nobody(bench: Bench) -> None:
    """A shared jar would make the second caller the first. It can be read off the response."""
    url = bench.world.url("named")
    with bench.open() as client:
        first = bench.fetch(client, TOKEN_ONLY, url)
        second = bench.fetch(client, (("authorization", "Bearer dave-token"),), url)
        again = bench.fetch(client, TOKEN_ONLY, url)

    assert (first.set_cookie or "").startswith("session=given-to-Bearer-carol-token")
    assert [reply.arrived.get("cookie") for reply in (first, second, again)] == [None] * 3


@case("http")
def a_cookie_set_on_the_way_does_not_travel_on(bench: Bench) -> None:
    """Neither to the same origin nor to another port of the host, where a jar would send it."""
    world = bench.world
    with bench.open() as client:
        for target in ("named", "neighbour"):
            bench.fetch(client, TOKEN_ONLY, world.redirect("named", world.url(target)))

    assert [hop for hop in bench.arrived() if "cookie" in hop[1]] == []


_OF_THE_APP: Final = ("app", "password")


@case("http", "digest")
def a_cookie_set_with_a_challenge_does_not_travel_with_its_answer(bench: Bench) -> None:
    """Libraries take it along. Beside the caller's own cookie it is another identity."""
    url = bench.world.url("named", "/asks-for/Digest")
    apps = {"Cookie": "app=own"}
    with bench.open(bench.world.destinations(on_conflict="app")) as client:
        bench.fetch(client, ALICE, url, digest=_OF_THE_APP)
        bench.fetch(client, TOKEN_ONLY, url, digest=_OF_THE_APP)
        bench.fetch(client, ALICE, url, digest=_OF_THE_APP, headers=apps)

    hops = [headers for _, headers in bench.arrived()]
    schemes = [headers.get("authorization", "").partition(" ")[0] for headers in hops]
    assert schemes == ["Bearer", "Digest"] * 2 + ["", "Digest"]
    cookies = [headers.get("cookie") for headers in hops]
    assert cookies == ["login=alice-cookie", None, None, None, "app=own", "app=own"]


@case("http", "digest")
def a_cookie_set_by_a_stranger_on_the_way_does_not_travel_back(bench: Bench) -> None:
    """The target of a redirect would choose the identity of the caller at the named origin."""
    world = bench.world
    # Of the same host on another port: cookies don't tell the two apart.
    url = world.redirect("named", world.url("neighbour", "/asks-for/Digest"))
    with bench.open(world.destinations(on_conflict="app")) as client:
        for pairs in (ALICE, TOKEN_ONLY):
            bench.fetch(client, pairs, url, digest=_OF_THE_APP)

    named = {headers.get("cookie") for origin, headers in bench.arrived() if origin == "named"}
    assert named == {"login=alice-cookie", None}
    assert [hop for hop in bench.arrived() if hop[0] == "neighbour" and hop[1]] == []


@case("http")
def a_netrc_file_is_ignored(bench: Bench) -> None:
    """It has the passwords of the app, or of the person who started it."""
    with tempfile.TemporaryDirectory() as directory:
        netrc = Path(directory, "netrc")
        netrc.write_text("default login app password planted-password\n", encoding="utf-8")
        anonymous = bench.world.destinations(on_missing="anonymous")
        with environment(NETRC=str(netrc)), bench.open(anonymous) as client:
            reply = bench.fetch(client, ALICE, bench.world.url("named"))
            with CallerScope(None, "public").active():
                nobody = bench.driver.fetch(client, Call(bench.world.url("named")))
            bench.fetch(client, ALICE, bench.world.redirect("named", bench.world.url("stranger")))

    assert reply.credentials() == dict(ALICE)
    assert nobody.credentials() == NOTHING
    assert bench.arrived()[-1] == ("stranger", NOTHING)


@case("http")
def a_proxy_from_the_environment_sees_nothing(bench: Bench) -> None:
    """Over plain http it would read the credentials."""
    with recording_proxy() as proxy:
        variables = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy.url)
        with environment(**variables, NO_PROXY=""), bench.open() as client:
            for name in ("named", "plain"):
                reply = bench.fetch(client, ALICE, bench.world.url(name))
                assert reply.credentials() == dict(ALICE)

        assert proxy.seen == []


@case("environment_proxies")
def a_proxy_from_the_environment_that_the_app_asks_for_sees_a_tunnel(bench: Bench) -> None:
    """Https goes through it; plain http and the hosts of NO_PROXY go past it (urllib's rules)."""
    named, second, plain = (bench.world.url(name) for name in ("named", "second", "plain"))
    past = urlsplit(second).netloc
    with recording_proxy() as proxy:
        url = proxy.url.replace("://", "://app:its-password@")
        variables = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), url)
        with (
            environment(**variables, NO_PROXY=f"elsewhere.example,{past}"),
            bench.open(environment_proxies=True) as client,
        ):
            for each in (named, second, plain, bench.world.redirect("second", named)):
                assert bench.fetch(client, ALICE, each).credentials() == dict(ALICE)
        seen = list(proxy.seen)

    assert {head.split(" HTTP/")[0] for head in seen} == {f"CONNECT {urlsplit(named).netloc}"}
    assert f"basic {b64encode(b'app:its-password').decode()}" in seen[0].replace("Basic", "basic")
    assert not [value for _, value in ALICE if value in seen[0]]


@case("http")
def a_proxy_that_the_app_names_sees_a_tunnel(bench: Bench) -> None:
    """Https goes through it, with the credentials inside; plain http is refused."""
    with recording_proxy() as proxy, bench.open() as client:
        url = bench.world.url("named")
        reply = bench.fetch(client, ALICE, url, proxy=proxy.url)
        plain = bench.world.url("plain")
        error = raised(lambda: bench.fetch(client, ALICE, plain, proxy=proxy.url))
        seen = list(proxy.seen)

    assert reply.credentials() == dict(ALICE)
    assert isinstance(error, DestinationNotAllowed), error
    assert [head.split(" ")[0] for head in seen] == ["CONNECT"]
    assert not [value for _, value in ALICE if value in seen[0]]
    assert bench.arrived() == [("named", dict(ALICE))]


# --- Many at once ---------------------------------------------------------------------------------


@case("http")
def a_connection_kept_alive_is_nobodys_own(bench: Bench) -> None:
    """Two callers in turn on one connection, each as themselves."""
    url = bench.world.url("named")
    with bench.open() as client:
        for pairs in (ALICE, BOB, ALICE):
            bench.fetch(client, pairs, url)

    assert [each.credentials() for each in bench.world.arrivals()] == [
        dict(ALICE),
        dict(BOB),
        dict(ALICE),
    ]
    assert len({each.peer for each in bench.world.arrivals()}) == 1


@case()
def callers_at_the_same_time_are_told_apart(bench: Bench) -> None:
    """Twenty callers over one shared client: none sees another's credentials or cookies."""
    calls = mixed_calls(bench.world, 400)
    with bench.open(bench.world.destinations(on_missing="anonymous")) as client:
        replies = bench.driver.fetch_many(client, calls, workers=64)

    assert crossed(calls, replies) == (0, 0)


def mixed_calls(world: LocalWorld, count: int) -> list[As]:
    """Calls of twenty callers and without one, in turn, to services that set a cookie on each."""
    call = Call(world.url("plain"), timeout=300)
    callers = [pairs_of(f"caller-{index}") for index in range(20)]
    # Without a cookie of their own: any that arrives is someone else's.
    bare = [tuple(pair for pair in pairs if pair[0] != "cookie") for pairs in callers]
    everyone: list[Pairs] = [*bare, ()]
    return [As(everyone[index % len(everyone)], call) for index in range(count)]


def crossed(calls: list[As], replies: list[Reply]) -> tuple[int, int]:
    """How many calls arrived with credentials, and with cookies, that aren't their caller's."""
    credentials = cookies = 0
    for call, reply in zip(calls, replies, strict=True):
        found = reply.credentials()
        cookies += found.pop("cookie", None) is not None
        credentials += found != dict(call.credentials)
    return credentials, cookies
