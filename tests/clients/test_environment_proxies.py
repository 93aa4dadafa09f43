"""Proxies of the environment: the word for them, and the record that says they are not used."""

import logging
import traceback

import pytest
from tests.clients.drivers import DRIVERS, driver
from tests.clients.suite import Bench
from tests.clients.suite.cases import ALICE, environment
from tests.clients.suite.proxy import recording_proxy

from passthrough_auth.clients import _environment
from passthrough_auth.clients.httpx import async_caller_client, caller_client
from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import ConfigurationError, Destinations

WITH_THE_WORD = [name for name in DRIVERS if "environment_proxies" in driver(name).features]
DESTINATIONS = Destinations("https://api.example.com")


@pytest.fixture
def records(caplog):
    """The records of the log of a process that has logged nothing yet."""
    _environment._say_that_it_is_not_used.cache_clear()
    caplog.set_level(logging.INFO, "passthrough_auth")
    return caplog


@pytest.mark.parametrize("name", WITH_THE_WORD)
def test_a_proxy_that_is_not_used_is_said_once(name, world, records):
    bench = Bench(driver(name), world)
    with environment(HTTPS_PROXY="app:its-password@127.0.0.1:9", NO_PROXY=""):
        for _ in range(2):
            with bench.open() as client:
                for url in (world.url("plain"), world.url("named"), world.url("named")):
                    bench.fetch(client, ALICE, url)

    (record,) = records.records
    assert "Write environment_proxies=True where the client is made" in record.getMessage()
    assert "its-password" not in record.getMessage()


@pytest.mark.parametrize("no_proxy", ["*", "named.localhost"])
@pytest.mark.parametrize("name", WITH_THE_WORD)
def test_a_proxy_that_no_call_would_use_is_not_mentioned(name, no_proxy, world, records):
    bench = Bench(driver(name), world)
    host = world.url("named").split("/")[2].rpartition(":")[0]
    no_proxy = no_proxy.replace("named.localhost", host)
    with environment(HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY=no_proxy), bench.open() as client:
        bench.fetch(client, ALICE, world.url("named"))

    assert records.records == []


@pytest.mark.parametrize("name", WITH_THE_WORD)
def test_the_word_without_a_proxy_in_the_environment_changes_nothing(name, world, records):
    bench = Bench(driver(name), world)
    with (
        environment(HTTPS_PROXY="", ALL_PROXY="", NO_PROXY=""),
        bench.open(environment_proxies=True) as client,
    ):
        assert bench.fetch(client, ALICE, world.url("named")).credentials() == dict(ALICE)

    assert records.records == []


@pytest.mark.parametrize("name", WITH_THE_WORD)
def test_a_proxy_of_the_environment_that_does_not_answer_is_no_way_round(name, world):
    bench = Bench(driver(name), world)
    world.clear()
    with (
        environment(HTTPS_PROXY="http://app:its-password@127.0.0.1:9", NO_PROXY=""),
        bench.open(environment_proxies=True) as client,
        pytest.raises(bench.driver.refused) as failed,
    ):
        bench.fetch(client, ALICE, world.url("named"))

    assert world.arrivals() == []
    assert "its-password" not in "".join(traceback.format_exception(failed.value))


@pytest.mark.parametrize("make", [caller_client, async_caller_client, CallerSession])
def test_it_is_true_or_false(make):
    with pytest.raises(ConfigurationError, match="environment_proxies is True or False, not 'yes'"):
        make(DESTINATIONS, environment_proxies="yes")


@pytest.mark.parametrize("make", [caller_client, async_caller_client])
@pytest.mark.parametrize("beside", [{"proxy": "http://p:1"}, {"uds": "/run/a.sock"}])
def test_two_words_about_where_calls_lead_are_refused(make, beside):
    with pytest.raises(ConfigurationError, match="can't be given beside proxy= or uds="):
        make(DESTINATIONS, environment_proxies=True, **beside)


def test_a_proxy_that_the_app_names_comes_first(world):
    """For requests and aiohttp it is named on a call."""
    for name in ("requests", "aiohttp"):
        bench = Bench(driver(name), world)
        with (
            recording_proxy() as proxy,
            environment(HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY=""),
            bench.open(environment_proxies=True) as client,
        ):
            reply = bench.fetch(client, ALICE, world.url("named"), proxy=proxy.url)
            assert len(proxy.seen) == 1

        assert reply.credentials() == dict(ALICE)
