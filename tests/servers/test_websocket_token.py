"""Tokens among the subprotocols, and refusals that a page can read, on every ASGI server."""

import base64
import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from passthrough_auth.testing.servers import SERVERS, serving

HERE = Path(__file__).parent
TOKEN = "s3cret.of-alice"
OFFERED = "bearer." + base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
ACCESS_LOG = {
    "uvicorn": ("--access-log",),
    "hypercorn": ("--access-logfile", "-"),
    "daphne": ("--access-log", "-"),
    "granian": ("--access-log",),
    "gunicorn": ("--access-logfile", "-"),
}
# With wsproto, uvicorn has the subprotocols in the scope, and not in the headers.
WITH = [
    pytest.param(each, options, id=" ".join((each.name, *options)))
    for each in SERVERS
    if each.websockets
    for options in ([(), ("--ws", "wsproto")] if each.name.startswith("uvicorn-h11") else [()])
]


@contextmanager
def served(server, options):
    logged = ACCESS_LOG[server.name.partition("-")[0]]
    app = "websocket_token_app:asgi"
    with serving(server, app, cwd=HERE, options=(*logged, *options)) as running:
        yield running


@contextmanager
def opened(running, *subprotocols):
    url = f"ws://{running.host}:{running.port}/ws"
    with connect(url, subprotocols=subprotocols, proxy=None) as websocket:
        yield websocket


@pytest.mark.parametrize(("server", "options"), WITH)
def test_a_browser_s_token_is_the_caller_s_and_nobody_else_sees_it(server, options):
    with served(server, options) as running:
        with opened(running, "app.v1", OFFERED) as websocket:
            seen = json.loads(websocket.recv())
            assert websocket.subprotocol == "app.v1"
        log = running.log()
    assert seen["caller"] == {"authorization": f"Bearer {TOKEN}"}
    for text in (seen["scope"], log, running.log()):
        assert OFFERED not in text
        assert OFFERED.partition(".")[2] not in text


@pytest.mark.parametrize(("server", "options"), WITH)
@pytest.mark.parametrize("offered", [("app.v1",), ("app.v1", "bearer.!"), (OFFERED,)])
def test_a_page_can_read_why_it_was_refused(server, options, offered):
    with served(server, options) as running:
        with opened(running, *offered) as websocket:
            # A browser fails a connection that selects none of those it has offered.
            assert websocket.subprotocol == (None if offered == (OFFERED,) else "app.v1")
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv()
        assert OFFERED not in running.log()
    assert closed.value.rcvd.code == 4401
