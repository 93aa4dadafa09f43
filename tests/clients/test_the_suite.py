"""The suite finds what it looks for: plain clients fail it, each where it was seen to leak."""

import ssl
from contextlib import contextmanager

import httpx
import pytest
import requests
from requests.auth import HTTPDigestAuth
from tests.clients.__main__ import main
from tests.clients.drivers import DRIVERS, driver
from tests.clients.suite import CASES, Bench, Reply, SyncDriver, cases_for

from passthrough_auth.core import NoCaller, current_credentials


class HttpxHook(SyncDriver):
    """A shared httpx client with the caller attached by an event hook, as many apps do it."""

    name = "plain-httpx"
    features = frozenset({"http", "base_url"})
    refused = (httpx.ConnectError,)
    timed_out = (httpx.ReadTimeout,)

    @contextmanager
    def open(self, world, destinations, base_url=None):
        def attach(request):
            request.headers.update(current_credentials().headers())

        trusting = ssl.create_default_context(cafile=world.ca_file)
        hooks = {"request": [attach]}
        with httpx.Client(
            base_url=base_url or "", verify=trusting, event_hooks=hooks, follow_redirects=True
        ) as client:
            yield client

    def fetch(self, client, call):
        response = client.request(call.method, call.url, headers=call.headers, timeout=call.timeout)
        return Reply.of(response.status_code, response.content, response.headers)


class RequestsHeaders(SyncDriver):
    """A shared requests session, given the caller with `headers=` on each call."""

    name = "plain-requests"
    features = SyncDriver.features | {"digest"}
    refused = (requests.ConnectionError,)
    timed_out = (requests.ReadTimeout,)

    @contextmanager
    def open(self, world, destinations, base_url=None):
        with requests.Session() as session:
            session.ca_file = world.ca_file  # given with each call, as the environment may differ
            yield session

    def fetch(self, client, call):
        try:
            callers = current_credentials().headers()
        except NoCaller:
            callers = {}
        headers = {**callers, **call.headers}
        response = client.request(
            call.method,
            call.url,
            headers=headers,
            timeout=call.timeout,
            verify=client.ca_file,
            proxies={"all": call.proxy} if call.proxy else None,
            auth=HTTPDigestAuth(*call.digest) if call.digest else None,
        )
        return Reply.of(response.status_code, response.content, response.headers)


LEAKS = {
    "an_origin_that_is_not_named_is_refused",
    "a_redirect_to_another_host_carries_nothing",
    "a_redirect_to_another_port_carries_nothing",
    "a_redirect_from_https_to_http_carries_nothing",
    "a_redirect_from_http_to_https_is_judged_like_any_other",
    "a_redirect_over_a_stranger_carries_nothing_back",
    "a_body_sent_again_takes_no_credentials_along",
    "what_the_app_set_stays_with_the_origin_it_was_set_for",
    "a_cookie_that_one_caller_was_given_travels_with_nobody",
    "a_cookie_set_on_the_way_does_not_travel_on",
    "a_proxy_from_the_environment_sees_nothing",
}


@pytest.mark.parametrize("plain", [HttpxHook(), RequestsHeaders()], ids=str)
@pytest.mark.parametrize("name", sorted(LEAKS))
def test_a_plain_client_fails_the_case(plain, name, fresh_world):
    (case,) = [each for each in cases_for(plain) if each.name == name]

    with pytest.raises(AssertionError):
        case.run(Bench(plain, fresh_world))


@pytest.mark.parametrize(
    "name",
    [
        "a_netrc_file_is_ignored",
        "a_cookie_set_with_a_challenge_does_not_travel_with_its_answer",
    ],
)
def test_requests_alone_takes_from_elsewhere_what_is_not_the_callers(name, fresh_world):
    (case,) = [each for each in CASES if each.name == name]

    with pytest.raises(AssertionError):
        case.run(Bench(RequestsHeaders(), fresh_world))


def test_every_case_has_a_reason_and_a_client():
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.why.endswith((".", ")")) for case in CASES)
    run = {case.name for name in DRIVERS for case in cases_for(driver(name))}
    assert run == {case.name for case in CASES}


def test_the_command_prints_the_matrix_and_its_counts(capsys):
    assert main(["--client", "requests"]) == 0

    printed = capsys.readouterr().out
    assert "1 of 1" in printed
    assert "1 clients" in printed
    assert ", 0 failed" in printed
    assert "with 0 credential headers" in printed


def test_the_soak_prints_its_figures(capsys):
    assert main(["--soak", "50", "--client", "httpx"]) == 0

    assert "crossed" in capsys.readouterr().out
