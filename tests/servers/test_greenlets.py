"""Greenlets don't copy the context. On a server with greenlets, a snapshot carries the caller."""

import http.client
import json
from contextlib import closing
from pathlib import Path

import pytest

from passthrough_auth.testing.servers import server, serving


@pytest.fixture(scope="module", params=["on_flask", "on_django"])
def running(request):
    gevent = server("gunicorn-gevent")
    here = Path(__file__).parent
    with serving(gevent, f"greenlet_apps:{request.param}", cwd=here) as running:
        yield running


def ask(running, path, caller):
    with closing(http.client.HTTPConnection(running.host, running.port, timeout=60)) as connection:
        connection.request("GET", path, headers={"authorization": caller})
        response = connection.getresponse()
        body = response.read()
    assert response.status == 200, running.log()
    return json.loads(body)


def test_greenlets_have_the_caller_by_a_snapshot_only(running):
    alice = "Bearer alice"
    assert ask(running, "/spawn", alice) == {
        "spawn": "outside",
        "spawn with snapshot": alice,
        "spawn with context": alice,
        "pool": "outside",
        "pool with snapshot": alice,
        "thread pool": "outside",
        "thread pool with snapshot": alice,
    }


def test_so_do_greenlets_that_outlive_their_request(running):
    ask(running, "/spawn", "Bearer alice")
    assert ask(running, "/told", "Bearer bob") == {
        "nothing": "outside",
        "context": "ended",
        "snapshot": "Bearer alice",
        "expired": "expired",
        "closed": "closed",
    }
