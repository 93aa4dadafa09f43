"""Faults of servers and frameworks that the soak met, each alone; docs/soak.md tells of them.

They are none of this library's, and none of these apps uses it. One that is mended fails here, and
can go from the soak's exceptions and the docs.
"""

import os
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import psutil
import pytest
from tests.servers.wire import Wire, exchange

from passthrough_auth.testing.servers import server, serving
from passthrough_auth.testing.wire import TimedOut, request_bytes

HERE = Path(__file__).parent
CLEARING = 2.5  # seconds; daphne clears up every second


def serve(name, app="asgi"):
    return serving(server(name), f"fault_apps:{app}", cwd=HERE)


def ask(running, target=b"/"):
    """Make a request on a connection of its own, and close that."""
    (answer,) = exchange(running.host, running.port, request_bytes("GET", target, host=b"x"))
    return answer


def alive(running, kind):
    return int(ask(running, b"/?" + kind).body)


def comes_true(condition):
    """Whether it does within a minute."""
    deadline = time.monotonic() + 60
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return true


def test_daphne_never_ends_a_response_that_fails_halfway_and_stops_clearing_up():
    with serve("daphne") as running:
        for _ in range(10):
            ask(running)
        assert comes_true(lambda: alive(running, b"WebRequest") < 5)
        with Wire(running.host, running.port, timeout=CLEARING) as wire:
            wire.send(request_bytes("GET", b"/crash", host=b"x"))
            with pytest.raises(TimedOut):
                wire.receive("GET")
        for _ in range(10):
            ask(running)
        time.sleep(CLEARING)
        assert alive(running, b"WebRequest") > 10


def test_hypercorn_keeps_connections_that_their_clients_have_closed():
    with serve("hypercorn") as running:
        for _ in range(10):
            ask(running)
        time.sleep(CLEARING)
        assert alive(running, b"TCPServer") > 10


def test_hypercorn_ends_when_its_worker_is_killed():
    with serve("hypercorn") as running:
        master = psutil.Process(running.pid)
        for worker in master.children():
            worker.kill()
        assert comes_true(lambda: master.status() == psutil.STATUS_ZOMBIE)


def test_flask_under_gevent_runs_one_async_view_at_a_time(tmp_path):
    """A second is refused while the first one waits."""
    refused = tmp_path / "refused"
    target = b"/?until=" + os.fsencode(refused)
    with serve("gunicorn-gevent", "flask") as running, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, running, target) for _ in range(2)]
        wait(asked, return_when=FIRST_COMPLETED)
        refused.touch()
        assert {each.result().status for each in asked} == {200, 500}
        assert "event loop" in running.log()
