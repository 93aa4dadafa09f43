"""Every server starts and serves, or fails to start, and leaves no process behind."""

import http.client
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from tests.servers.wire import Wire, exchange

from passthrough_auth.testing.servers import (
    SERVERS,
    Running,
    Server,
    ServerDidNotStart,
    server,
    serving,
)
from passthrough_auth.testing.wire import (
    ConnectionEnded,
    Headers,
    Response,
    TimedOut,
    WebSocketRefused,
    WireError,
    handshake_bytes,
    request_bytes,
)

HERE = Path(__file__).parent
HOST = b"example"


def by_name(served: Server) -> str:
    return served.name


every_server = pytest.mark.parametrize("served", SERVERS, ids=by_name)


def app_for(served: Server) -> str:
    return f"apps:{served.interface}"


def processes_with(marker: str) -> list[str]:
    """Living processes with `marker` in their environment, in any group or session."""
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
    return http.client.HTTPConnection(running.host, running.port, timeout=60)


@every_server
def test_it_serves_200_requests_and_leaves_no_process(served: Server) -> None:
    """The port is closed, the log clean and every process gone, with a connection still open."""
    marker = uuid.uuid4().hex
    with (
        ExitStack() as stack,
        serving(served, app_for(served), env={"MARKER": marker}, cwd=HERE) as running,
    ):
        connection = stack.enter_context(closing(connect(running)))
        answers = {ask(connection)[:2] for _ in range(200)}
        assert processes_with(marker)
    assert answers == {(200, b"ok")}
    assert processes_with(marker) == []
    assert "Traceback" not in running.log()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((running.host, running.port))


@every_server
def test_an_app_that_cannot_be_imported_is_a_failure(served: Server) -> None:
    """Also if the server listens before it loads the app."""
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
def test_it_waits_for_the_app_to_be_loaded(served: Server, tmp_path: Path) -> None:
    """The first request needn't wait for the import; with two workers where the server has them."""
    marker = uuid.uuid4().hex
    loaded = tmp_path / "loaded"
    slow = {"APP_IMPORT_SECONDS": "0.5", "APP_LOADED": str(loaded), "MARKER": marker}
    workers = 2 if served.several_workers else 1
    with serving(served, app_for(served), env=slow, cwd=HERE, workers=workers) as running:
        assert loaded.exists(), "it serves before the app is loaded"
        with closing(connect(running)) as connection:
            assert ask(connection)[:2] == (200, b"ok")
    assert processes_with(marker) == []


@pytest.mark.parametrize("name", ["uvicorn-h11-asyncio", "hypercorn", "gunicorn-sync", "granian"])
def test_several_workers_share_the_port(name: str) -> None:
    """New connections reach more than one process."""
    served = server(name)
    with serving(served, app_for(served), cwd=HERE, workers=3) as running:
        seen = set()
        deadline = time.monotonic() + 60  # the others may be loading their app yet
        while len(seen) < 2 and time.monotonic() < deadline:
            with closing(connect(running)) as connection:
                seen.add(ask(connection)[2])
    assert len(seen) == 2


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
    """The error shows the server's own message."""
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
        deadline = time.monotonic() + 60  # a process that has just begun shows no environment yet
        while len(processes_with(marker)) < 2:
            assert time.monotonic() < deadline
    assert processes_with(marker) == []


def test_servers_started_together_have_ports_of_their_own() -> None:
    with ExitStack() as stack:
        running = [
            stack.enter_context(serving(server("waitress"), "apps:wsgi", cwd=HERE))
            for _ in range(8)
        ]
        pids = set()
        for one in running:
            with closing(connect(one)) as connection:
                pids.add(ask(connection)[2])
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


@pytest.fixture(scope="module", params=SERVERS, ids=by_name)
def observed(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Running]]:
    with serving(request.param, app_for(request.param), cwd=HERE) as running:
        yield request.param, running


def told(running: Running, target: bytes, headers: Headers = ()) -> Any:
    """The app's input for this request."""
    request = request_bytes("GET", target, headers, host=HOST)
    response = exchange(running.host, running.port, request)[0]
    assert response.status == 200, response
    return json.loads(response.body)


def values(seen: Any, name: str) -> list[str]:
    """The values of a header, in an ASGI or a WSGI app."""
    keys = {name, "HTTP_" + name.upper().replace("-", "_")}
    return [value for key, value in seen["headers"] if key in keys]


def test_the_path_is_decoded_once(observed: tuple[Server, Running]) -> None:
    _, running = observed
    for target, path in [
        (b"/a%2Fb", "/a/b"),
        (b"/a%252Fb", "/a%2Fb"),
        (b"/%2e%2e/a", "/../a"),
        (b"/a//b", "/a//b"),
        (b"/a%00b", "/a\0b"),
        (b"/a%0Ab", "/a\nb"),
        (b"/a;b", "/a;b"),
    ]:
        assert told(running, target)["path"] == path


def test_leading_slashes(observed: tuple[Server, Running]) -> None:
    served, running = observed
    assert told(running, b"//a")["path"] == ("/a" if served.merges_leading_slashes else "//a")


def test_two_lines_of_a_header(observed: tuple[Server, Running]) -> None:
    served, running = observed
    lines = [(b"Authorization", b"Bearer a"), (b"Authorization", b"Bearer b")]
    seen = values(told(running, b"/e", lines), "authorization")
    if served.joins_lines:
        assert [value.replace(", ", ",") for value in seen] == ["Bearer a,Bearer b"]
    else:
        assert seen == ["Bearer a", "Bearer b"]


def test_underscores_in_a_header_name(observed: tuple[Server, Running]) -> None:
    served, running = observed
    seen = told(running, b"/e", [(b"X-Name", b"dash"), (b"X_Name", b"underscore")])
    assert ("underscore" in ",".join(values(seen, "x-name"))) is served.merges_underscores


def test_keep_alive(observed: tuple[Server, Running]) -> None:
    """Without it, the response says so and the server closes."""
    served, running = observed
    with Wire(running.host, running.port) as wire:
        wire.send(request_bytes("GET", b"/", host=HOST))
        first = wire.receive("GET")
        if served.keep_alive:
            wire.send(request_bytes("GET", b"/", host=HOST))
            assert wire.receive("GET").body == b"ok"
        else:
            assert first.values("connection") == ["close"]
            assert wire.receive_end() == b""


def test_pipelining(observed: tuple[Server, Running]) -> None:
    served, running = observed
    with Wire(running.host, running.port) as wire:
        wire.send(request_bytes("GET", b"/", host=HOST) + request_bytes("GET", b"/e", host=HOST))
        assert wire.receive("GET").body == b"ok"
        if served.pipelining:
            assert b'"/e"' in wire.receive("GET").body
        else:
            wire.end_sending()
            with pytest.raises(ConnectionEnded):
                wire.receive("GET")


def test_chunks_arrive_as_they_are_made(observed: tuple[Server, Running], tmp_path: Path) -> None:
    """None is held back for the next, which is only made when the one before has arrived."""
    _, running = observed
    file = tmp_path / "arrived"
    with Wire(running.host, running.port) as wire:
        wire.send(steps(file))
        assert in_steps(wire, file) == [b"one", b"two", b"three"]


def steps(file: Path) -> bytes:
    """A request for chunks, each of which is made when that file has those before it."""
    return request_bytes("GET", b"/steps?" + os.fsencode(file), host=HOST)


def in_steps(wire: Wire, file: Path) -> list[bytes]:
    """The chunks that arrive, each written into that file at once."""
    arrived: list[bytes] = []
    for chunk in wire.begin("GET").chunks():
        arrived.append(chunk)
        file.write_bytes(b"".join(arrived))
    return arrived


def test_the_body_of_a_response_to_head(observed: tuple[Server, Running]) -> None:
    served, running = observed
    with Wire(running.host, running.port) as wire:
        wire.send(request_bytes("HEAD", b"/stream", [(b"Connection", b"close")], host=HOST))
        assert wire.receive("HEAD").body == b""
        assert (wire.receive_end() == b"") is served.drops_head_body


def test_a_half_closed_connection(observed: tuple[Server, Running], tmp_path: Path) -> None:
    """Where it isn't answered, the server ends it before the app has made all of its answer."""
    served, running = observed
    file = tmp_path / "arrived"
    with Wire(running.host, running.port) as wire:
        wire.send(steps(file))
        wire.end_sending()
        if served.answers_half_closed:
            assert in_steps(wire, file) == [b"one", b"two", b"three"]
        else:
            with pytest.raises(WireError) as caught:
                wire.receive("GET")
            assert not isinstance(caught.value, TimedOut)
    file.write_bytes(b"onetwothree")  # so that no app waits any longer


@pytest.mark.parametrize("vanish", [Wire.close, Wire.abort])
def test_a_client_that_vanishes_while_it_is_sent_to_harms_nobody(
    observed: tuple[Server, Running], vanish: Callable[[Wire], None]
) -> None:
    _, running = observed
    reader = Wire(running.host, running.port, receive_buffer=4096)
    reader.send(request_bytes("GET", b"/large", host=HOST))
    assert reader.receive_bytes().startswith(b"HTTP/1.")
    vanish(reader)
    request = request_bytes("GET", b"/", host=HOST)
    assert exchange(running.host, running.port, request)[0].body == b"ok"


def test_websockets(observed: tuple[Server, Running]) -> None:
    """Text goes both ways. Other servers take a handshake as an ordinary request, or refuse it."""
    served, running = observed
    if not served.websockets:
        assert refusal(running, b"/e").status in {200, 403}
        return
    with Wire(running.host, running.port) as wire:
        websocket = wire.upgrade(handshake_bytes(b"/e", [(b"X-Name", b"a")], host=HOST))
        seen = json.loads(websocket.receive_text())
        assert values(seen, "x-name") == ["a"]
        assert ("websocket.http.response" in seen["extensions"]) is served.denial_response
        websocket.send_text("h\u00e9")
        assert websocket.receive_text() == "h\u00e9"
        websocket.close()


@pytest.mark.parametrize(
    "observed", [one for one in SERVERS if one.websockets], ids=by_name, indirect=True
)
def test_a_websocket_closed_before_it_is_accepted_is_a_403(
    observed: tuple[Server, Running],
) -> None:
    _, running = observed
    assert refusal(running, b"/reject").status == 403


@pytest.mark.parametrize(
    "observed", [one for one in SERVERS if one.denial_response], ids=by_name, indirect=True
)
def test_a_websocket_denied_with_a_response(observed: tuple[Server, Running]) -> None:
    _, running = observed
    response = refusal(running, b"/deny")
    assert (response.status, response.body) == (401, b"no!")
    assert response.values("www-authenticate") == ["Bearer"]


def refusal(running: Running, target: bytes) -> Response:
    with Wire(running.host, running.port) as wire, pytest.raises(WebSocketRefused) as caught:
        wire.upgrade(handshake_bytes(target, host=HOST))
    return caught.value.response
