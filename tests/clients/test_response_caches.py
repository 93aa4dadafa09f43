"""Where a cache of responses may stand: docs/clients.md has one place for it."""

import hishel.httpx
import httpx
import pytest
from cachecontrol import CacheControlAdapter
from hishel import SqliteStorage

from passthrough_auth.clients.httpx import CallerTransport, caller_client
from passthrough_auth.clients.requests import CallerSession
from passthrough_auth.core import acting_as

CALLERS = ("Bearer alice", "Bearer bob", "Bearer alice")


def cached(world, rfc, inner, tmp_path):
    storage = SqliteStorage(database_path=tmp_path / "cache.db")
    return hishel.httpx.CacheTransport(inner, storage, rfc=rfc)


def behind(world, rfc, tmp_path):
    inner = cached(world, rfc, httpx.HTTPTransport(verify=world.verify()), tmp_path)
    named = world.destinations(send=["authorization"])
    return caller_client(named, transport=inner)


def in_front(world, rfc, tmp_path):
    inner = httpx.HTTPTransport(verify=world.verify())
    transport = CallerTransport(world.destinations(), inner, proxied=False)
    return httpx.Client(transport=cached(world, rfc, transport, tmp_path))


def read(client, url, callers=CALLERS):
    """Whose answer each caller gets."""
    answers = []
    for caller in callers:
        with acting_as(("authorization", caller), bindings=()):
            answers.append(client.get(url).json()["headers"]["authorization"])
    return tuple(answers)


def test_behind_the_boundary_a_cache_by_the_rfc_gives_each_caller_their_own(world, tmp_path):
    with behind(world, rfc=True, tmp_path=tmp_path) as client:
        assert read(client, world.url("named", "/cacheable/max-age=60")) == CALLERS


def test_what_upstream_calls_public_is_still_kept(world, tmp_path):
    """So the test above sees a cache at work."""
    world.clear()
    with behind(world, rfc=True, tmp_path=tmp_path) as client:
        read(client, world.url("named", "/cacheable/public,max-age=60"))
    assert len(world.arrivals()) == 1


@pytest.mark.parametrize(
    ("place", "rfc"), [(behind, False), (in_front, False), (in_front, True)], ids=str
)
def test_any_other_place_gives_the_first_answer_to_the_next_caller(place, rfc, world, tmp_path):
    """What the page warns of. Where this fails, a release of the cache keeps callers apart."""
    with place(world, rfc=rfc, tmp_path=tmp_path) as client:
        answers = read(client, world.url("named", "/cacheable/max-age=60"))
    assert answers == (CALLERS[0],) * 3


def test_a_cache_for_one_user_is_no_cache_for_a_shared_session(world):
    """CacheControl keeps what a browser may keep."""
    with CallerSession(world.destinations()) as session:
        session.verify = world.ca_file
        session.mount("https://", CacheControlAdapter())
        answers = read(session, world.url("named", "/cacheable/max-age=60"))
    assert answers == (CALLERS[0],) * 3
