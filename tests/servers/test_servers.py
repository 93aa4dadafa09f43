"""Every server starts, serves, refuses to be half started, and goes without a trace."""

import http.client
import socket
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

from passthrough_auth.testing.servers import (
    SERVERS,
    Running,
    Server,
    ServerDidNotStart,
    server,
    serving,
)

HERE = Path(__file__).parent

every_server = pytest.mark.parametrize("served", SERVERS, ids=lambda served: served.name)


def app_for(served: Server) -> str:
    return f"apps:{served.interface}"


def processes_with(marker: str) -> list[str]:
    """Living processes that have `marker` in their environment, whatever their group or session."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue  # gone in the meantime, or not ours to look at
    return found


def ask(connection: http.client.HTTPConnection) -> tuple[int, bytes, str]:
    connection.request("GET", "/")
    response = connection.getresponse()
    return response.status, response.read(), response.headers["x-pid"]


def connect(running: Running) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(running.host, running.port, timeout=10)


@every_server
def test_it_serves_200_requests_and_leaves_no_process(served: Server) -> None:
    """The port is closed, the log clean and every process gone, with a connection still open."""
    marker = uuid.uuid4().hex
    with serving(served, app_for(served), env={"MARKER": marker}, cwd=HERE) as running:
        connection = connect(running)
        answers = {ask(connection)[:2] for _ in range(200)}
        assert processes_with(marker)
    connection.close()
    assert answers == {(200, b"ok")}
    assert processes_with(marker) == []
    assert "Traceback" not in running.log()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((running.host, running.port))


@every_server
def test_an_app_that_cannot_be_imported_is_a_failure(served: Server) -> None:
    """Also where the listening socket is open before the app is loaded."""
    marker = uuid.uuid4().hex
    failing = {"APP_IMPORT_FAILS": "1", "MARKER": marker}
    with (
        pytest.raises(ServerDidNotStart) as caught,
        serving(served, app_for(served), env=failing, cwd=HERE),
    ):
        pass
    assert served.name in str(caught.value)
    assert "this app can't be imported" in str(caught.value)
    assert processes_with(marker) == []


@every_server
def test_it_waits_for_the_app_to_be_loaded(served: Server) -> None:
    """The first request needn't wait for the import; with two workers where the server has them."""
    marker = uuid.uuid4().hex
    slow = {"APP_IMPORT_SECONDS": "0.5", "MARKER": marker}
    workers = 2 if served.several_workers else 1
    with serving(served, app_for(served), env=slow, cwd=HERE, workers=workers) as running:
        connection = connect(running)
        connection.timeout = 0.25
        assert ask(connection)[:2] == (200, b"ok")
        connection.close()
    assert processes_with(marker) == []


@pytest.mark.parametrize("name", ["uvicorn-h11-asyncio", "hypercorn", "gunicorn-sync", "granian"])
def test_several_workers_share_the_port(name: str) -> None:
    """New connections reach more than one process."""
    served = server(name)
    with serving(served, app_for(served), cwd=HERE, workers=3) as running:
        seen = set()
        for _ in range(500):
            connection = connect(running)
            seen.add(ask(connection)[2])
            connection.close()
            if len(seen) > 1:
                break
    assert len(seen) > 1


@pytest.mark.parametrize("name", ["daphne", "waitress", "werkzeug"])
def test_a_server_of_one_process_refuses_workers(name: str) -> None:
    with (
        pytest.raises(ValueError, match="one process"),
        serving(server(name), "apps:app", workers=2),
    ):
        pass


def test_a_missing_distribution_is_named_with_what_to_install() -> None:
    incomplete = Server("imaginary", "asgi", lambda launch: [], needs=("uvicorn", "no-such-thing"))
    with (
        pytest.raises(ServerDidNotStart, match="pip install no-such-thing"),
        serving(incomplete, "apps:asgi"),
    ):
        pass


def test_a_server_that_refuses_its_command_line_is_a_failure() -> None:
    """Its own words are in the text."""
    with (
        pytest.raises(ServerDidNotStart, match="--no-such-option"),
        serving(server("uvicorn-h11-asyncio"), "apps:asgi", options=["--no-such-option"]),
    ):
        pass


def test_an_exception_in_the_block_stops_the_server_and_comes_out() -> None:
    marker = uuid.uuid4().hex
    with (
        pytest.raises(ZeroDivisionError),
        serving(server("waitress"), "apps:wsgi", cwd=HERE, env={"MARKER": marker}),
    ):
        raise ZeroDivisionError
    assert processes_with(marker) == []


def test_a_server_that_ignores_sigterm_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("passthrough_auth.testing.servers.STOP_SECONDS", 0.5)
    script = (
        "import signal, subprocess, sys\n"
        "from http.server import HTTPServer, BaseHTTPRequestHandler\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen(['sleep', '100'])\n"
        "HTTPServer(('127.0.0.1', int(sys.argv[1])), BaseHTTPRequestHandler).serve_forever()\n"
    )
    deaf = Server(
        "deaf",
        "wsgi",
        lambda launch: [sys.executable, "-c", script, str(launch.port)],
        needs=(),
    )
    marker = uuid.uuid4().hex
    with serving(deaf, "", env={"MARKER": marker}):
        assert len(processes_with(marker)) == 2
    assert processes_with(marker) == []


def test_servers_started_together_have_ports_of_their_own() -> None:
    with ExitStack() as stack:
        running = [
            stack.enter_context(serving(server("waitress"), "apps:wsgi", cwd=HERE))
            for _ in range(8)
        ]
        pids = set()
        for one in running:
            connection = connect(one)
            pids.add(ask(connection)[2])
            connection.close()
    assert pids == {str(one.pid) for one in running}


def test_unknown_names_are_answered_with_the_known() -> None:
    with pytest.raises(LookupError, match=r"uvicorn-h11-asyncio.*hypercorn-wsgi"):
        server("uvicorn")


def test_all_that_was_asked_for_is_there() -> None:
    assert [served.name for served in SERVERS if served.interface == "asgi"] == [
        "uvicorn-h11-asyncio",
        "uvicorn-h11-uvloop",
        "uvicorn-httptools-asyncio",
        "uvicorn-httptools-uvloop",
        "hypercorn",
        "daphne",
        "granian",
        "gunicorn-asgi",
    ]
    assert [served.name for served in SERVERS if served.interface == "wsgi"] == [
        "gunicorn-sync",
        "gunicorn-gthread",
        "gunicorn-gevent",
        "waitress",
        "werkzeug",
        "granian-wsgi",
        "hypercorn-wsgi",
    ]
