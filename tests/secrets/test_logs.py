"""Logs at DEBUG of every server and client show no secret of a request that is well-formed.

The exceptions are listed here, with the setting that prevents them: see `docs/secrets.md`.
"""

import os
import socket
import subprocess
import sys
import time

import pytest
from tests.secrets.planted import PAIRS, leaked
from tests.secrets.serving_apps import ROOT, ask, serving_app

from passthrough_auth.testing.servers import SERVERS

ALL = {"tok-", "ses-", "cus-"}
LOUD = {
    "uvicorn": ("--log-level", "trace", "--access-log"),
    "hypercorn": ("--log-level", "DEBUG", "--access-logfile", "-", "--error-logfile", "-"),
    "gunicorn": ("--log-level", "debug", "--access-logfile", "-"),
    "granian": ("--log-level", "debug", "--access-log"),
    "daphne": ("-v", "3"),
    "waitress": (),
    "werkzeug": (),
}
# The other two of uvicorn have the same parsers on another event loop.
LOGGING = [
    each for each in SERVERS if each.name not in {"uvicorn-h11-uvloop", "uvicorn-httptools-asyncio"}
]
HEADERS = "".join(f"{name}: {value}\r\n" for name, value in PAIRS)
HANDSHAKE = (
    "GET /whoami HTTP/1.1\r\nHost: app\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    f"{HEADERS}\r\n"
)
UNREADABLE = f"GET /whoami HTTP/1.1\r\nHost: app\r\nno header {HEADERS}\r\n"


def loud(name):
    return LOUD[name.partition("-")[0]]


def send(running, text):
    """Send this as it is, and wait for an answer or for the end."""
    with socket.create_connection((running.host, running.port), timeout=60) as connection:
        connection.sendall(text.encode())
        return connection.recv(65536)


def logged(running, *awaited):
    """All that it logged, once all of that is there, and a little later."""
    deadline = time.monotonic() + 60
    while not all(each in running.log() for each in awaited):
        assert time.monotonic() < deadline, running.log()
        time.sleep(0.02)
    time.sleep(0.2)
    return running.log()


@pytest.mark.parametrize("chosen", LOGGING, ids=lambda each: each.name)
def test_a_server(chosen):
    app = "on_fastapi" if chosen.interface == "asgi" else "on_flask"
    with serving_app(app, chosen.name, loud(chosen.name), log="1") as running:
        assert [ask(running, path)[0] for path in ("/whoami", "/crash", "/health", "/log")] == [
            200,
            500,
            200,
            200,
        ]
        assert ask(running, "/whoami", headers=())[0] == 401
        log = logged(running, "ERROR:app:as <Credentials authorization ")

    assert "as <Credentials authorization " in log
    assert leaked(log) == set()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--ws", "websockets", "--log-level", "debug"), ALL),
        (("--ws", "websockets", "--log-level", "info"), set()),
        (("--ws", "wsproto", "--log-level", "debug"), set()),
    ],
)
def test_a_websocket_s_handshake_under_uvicorn(options, shown):
    """The websockets library logs each header of a handshake at DEBUG, to uvicorn's logger."""
    with serving_app("on_fastapi", options=options) as running:
        assert b" 101 " not in send(running, HANDSHAKE)
        assert leaked(logged(running, *shown)) == shown


@pytest.mark.parametrize(
    ("options", "shown"), [((), {"tok-"}), (("--log-level", "error"), set())], ids=["", "error"]
)
def test_a_header_line_that_gunicorn_can_t_read(options, shown):
    """Its warning contains the whole line."""
    with serving_app("on_flask", "gunicorn-gthread", options) as running:
        assert b" 400 " in send(running, UNREADABLE.replace("authorization: ", ""))
        assert leaked(logged(running, *shown)) == shown


CLIENTS = ["httpx", "httpx-async", "httpx2", "requests", "aiohttp", "grpc", "flyte"]


def called_with(name, *options, **environment):
    """All output of a call with that client."""
    finished = subprocess.run(
        [sys.executable, *options, "-m", "tests.secrets.upstream_calls", name],
        cwd=ROOT,
        env={**os.environ, "DO_NOT_TRACK": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client(client):
    """With Python's dev mode, asyncio's debug mode, and each library's own logs."""
    printed = called_with(client, "-X", "dev", GRPC_VERBOSITY="debug")

    assert "DEBUG" in printed or client == "grpc"
    assert leaked(printed) == set()


def test_grpc_s_own_tracers():
    assert leaked(called_with("grpc", GRPC_VERBOSITY="debug", GRPC_TRACE="api")) == ALL


def test_http_client_s_debug_level():
    """requests uses http.client, which prints what it sends."""
    assert leaked(called_with("requests", SECRETS_DEBUG_LEVEL="1")) == ALL
