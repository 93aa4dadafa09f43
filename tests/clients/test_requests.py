"""requests: the suite that every client passes, and what is its own."""

import copy
import pickle

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from requests.cookies import cookiejar_from_dict
from tests.clients.drivers import driver
from tests.clients.suite import Bench, cases_for
from urllib3.util import Retry

from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import (
    ConfigurationError,
    DestinationNotAllowed,
    Destinations,
    acting_as,
)

REQUESTS = driver("requests")


@pytest.mark.parametrize("case", cases_for(REQUESTS), ids=str)
def test_conformance(case, world):
    case.run(Bench(REQUESTS, world))


# --- Its own --------------------------------------------------------------------------------------

ALICE = ("authorization", "Bearer alice-token")


def as_alice():
    return acting_as(ALICE, bindings=())


@pytest.fixture
def session(world):
    # Where the app sets a header of its own, it calls alone.
    with CallerSession(world.destinations(on_conflict="app")) as session:
        session.verify = world.ca_file
        yield session


def test_an_adapter_that_the_app_mounts_carries_the_caller_on_its_retries(session, world):
    world.clear()
    again = Retry(total=2, status_forcelist=[503], backoff_factor=0)
    session.mount("https://", HTTPAdapter(max_retries=again))
    with as_alice():
        response = session.get(world.url("named", "/flaky/requests-retry"))

    assert response.status_code == 200
    assert [each.credentials() for each in world.arrivals()] == [dict([ALICE])] * 2


def test_hooks_and_adapters_of_the_app_are_called_as_requests_calls_them(session, world):
    """Those with the parameters written out, rather than `**kwargs`, too."""
    called = []

    class Mounted(HTTPAdapter):
        def send(self, request, *, stream, timeout, verify, cert, proxies):
            called.append("adapter")
            return super().send(request, stream, timeout, verify, cert, proxies)

    def hook(response, timeout, verify, proxies, stream, cert):
        called.append("hook")

    session.mount("https://", Mounted())
    with as_alice():
        session.get(world.redirect("named", world.url("second")), hooks={"response": hook})
        session.get(
            world.url("named", "/asks-for/Digest"),
            hooks={"response": hook},
            auth=HTTPDigestAuth("app", "password"),
        )

    assert called == ["adapter", "hook"] * 2 + ["adapter", "adapter", "hook"]


def test_a_redirect_that_a_hook_of_the_app_answers_with_takes_nothing_of_the_apps_along(
    session, world
):
    """As a cache in a hook might: its response is none that the session has seen."""
    world.clear()

    def hook(response, **_options):
        if response.url != world.url("named"):
            return response
        answer = requests.Response()
        answer.status_code, answer.url, answer.request = 302, response.url, response.request
        answer.headers["location"] = world.url("stranger")
        return answer

    with acting_as(ALICE, ("x-team-token", "alice"), bindings=()):
        session.get(
            world.url("named"), headers={"X-Team-Token": "app-own"}, hooks={"response": hook}
        )

    assert [(each.origin, each.credentials()) for each in world.arrivals()] == [
        ("named", {"x-team-token": "app-own"}),
        ("stranger", {}),
    ]


def test_what_the_app_can_see_of_a_request_holds_no_credential(session, world):
    with as_alice():
        response = session.get(world.redirect("named", world.url("second")))

    for each in (*response.history, response):
        assert "authorization" not in each.request.headers


def test_a_redirect_followed_by_hand_is_of_the_same_call(session, world):
    """`Response.next` leads where the redirect does, without what the app set for the origin."""
    own = {"Cookie": "app=1"}
    for origin, carried in (("second", ALICE[1]), ("stranger", None)):
        with as_alice():
            response = session.get(
                world.redirect("named", world.url(origin)), headers=own, allow_redirects=False
            )
            found = session.send(response.next).json()["headers"]

        assert (found.get("authorization"), found.get("cookie")) == (carried, None)


def test_an_error_shows_no_credentials():
    """Of the request that it has: logs, error reports and pickles take it from there."""
    session = CallerSession(Destinations("http://localhost:9"))  # where nobody listens
    with as_alice(), pytest.raises(requests.ConnectionError) as caught:
        session.get("http://localhost:9/")
    assert "authorization" not in caught.value.request.headers
    assert ALICE[1].encode() not in pickle.dumps(caught.value)


def test_what_would_act_in_place_of_the_callers_cannot_be_set(session):
    for name, value in (("auth", ("app", "password")), ("trust_env", True)):
        with pytest.raises(ConfigurationError, match=f"{name} can't be set"):
            setattr(session, name, value)
    session.auth = None
    session.trust_env = False


def test_digest_authentication_of_the_apps_own_is_not_overwritten(session, world):
    """It repeats the request by itself, through the adapter of the response."""
    with as_alice():
        response = session.get(world.url("named"), auth=HTTPDigestAuth("app", "password"))

    assert response.json()["headers"]["authorization"] == ALICE[1]


def test_an_own_basic_authentication_is_not_overwritten(session, world):
    with as_alice():
        response = session.get(world.url("named"), auth=("app", "password"))

    assert response.json()["headers"]["authorization"].startswith("Basic ")


def test_a_cookie_cannot_be_put_on_the_session(session):
    with pytest.raises(ConfigurationError, match="keeps no cookies"):
        session.cookies.set("session", "planted-value")


def test_another_jar_cannot_be_put_on_the_session(session, world):
    """One caller's cookies would go with another's call, the app's own in place of a caller's."""
    for jar in ({}, {"app": "own"}, cookiejar_from_dict({})):
        with pytest.raises(ConfigurationError, match="cookies can't be set"):
            session.cookies = jar

    with as_alice():
        for _ in range(2):
            response = session.get(world.url("named"))
    assert "cookie" not in response.json()["headers"]


def test_a_cookie_given_with_a_request_is_sent(session, world):
    with as_alice():
        response = session.get(world.url("named"), cookies={"app": "own"})

    assert response.json()["headers"]["cookie"] == "app=own"


def test_a_cookie_given_with_a_request_is_not_followed_by_the_callers(session, world):
    """requests would send it again after a redirect, with what the response before has set."""
    world.clear()
    with acting_as(ALICE, ("cookie", "session=alice"), bindings=()):
        session.get(world.redirect("named", "/whoami"), cookies={"app": "own"})

    assert [each.credentials() for each in world.arrivals()] == [
        {"cookie": "app=own"},
        {},
    ]


def test_closing_the_session_closes_what_it_mounted(world):
    with CallerSession(world.destinations()) as session:
        session.get_adapter("https://a.example").close()


def test_a_body_produced_in_pieces_is_sent(session, world):
    with as_alice():
        response = session.post(world.url("named"), data=iter([b"a", b"b"]))

    assert response.json()["headers"]["authorization"] == ALICE[1]


def pickled(session):
    return pickle.loads(pickle.dumps(session))  # noqa: S301 - our own


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_is_a_caller_s_session_too(session, world, again):
    """requests lets sessions be copied and pickled, for workers in other processes."""
    other = again(session)
    with as_alice():
        found = other.get(world.url("named")).json()["headers"]
        with pytest.raises(DestinationNotAllowed):
            other.get(world.url("stranger"))
    assert found["authorization"] == ALICE[1]
    with pytest.raises(ConfigurationError, match="keeps no cookies"):
        other.cookies.set("session", "planted-value")
    with pytest.raises(ConfigurationError, match="trust_env can't be set"):
        other.trust_env = True


def test_a_header_added_to_the_session_later_is_refused_at_the_call(world):
    with CallerSession(world.destinations()) as session:
        session.headers["X-Api-Key"] = "of-the-app"
        with as_alice(), pytest.raises(ConfigurationError, match="two identities"):
            session.get(world.url("named"))
