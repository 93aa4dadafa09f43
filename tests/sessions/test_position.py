"""Servers of sockets answer by themselves: the middleware has to stand outside of them."""

import sys
import time

import pytest
import requests
import socketio

CALLERS = ("alice", "bob")


def connected(origin, name, transport):
    headers = {"Authorization": f"Bearer {name}"} if name else {}
    session = requests.Session()
    session.headers.update(headers)  # of every request of polling
    client = socketio.SimpleClient(http_session=session)
    client.connect(origin, headers=headers, transports=[transport])
    return client


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_handler_of_a_socket_can_ask_for_its_caller(transport, serve):
    origin = serve("socketio_app:app")
    clients = {name: connected(origin, name, transport) for name in CALLERS}
    for _ in range(5):
        assert [each.call("whoami", None) for each in clients.values()] == [*CALLERS]
    for each in clients.values():
        each.disconnect()


def test_an_event_that_another_caller_posts_to_a_socket_is_nobodys(serve):
    origin = serve("socketio_app:app")
    alice = connected(origin, "alice", "polling")
    assert alice.call("whoami", None) == "alice"
    bob = {"Authorization": "Bearer bob"}
    where = f"{origin}/socket.io/?transport=polling&EIO=4&sid={alice.client.eio.sid}"
    posted = requests.post(where, '42["whoami","x"]', headers=bob, timeout=30)
    assert posted.status_code == 200
    deadline = time.monotonic() + 30
    while requests.get(f"{origin}/heard", headers=bob, timeout=30).json() == "alice":
        assert time.monotonic() < deadline, "the event was not heard"
        time.sleep(0.1)
    assert requests.get(f"{origin}/heard", headers=bob, timeout=30).json() == "crossed"
    alice.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_nobody_connects_without_credentials(transport, serve):
    with pytest.raises(socketio.exceptions.ConnectionError):
        connected(serve("socketio_app:app"), None, transport)


STANDING_OUTSIDE = [("socketio_app:app", "socketio.ASGIApp")]
if sys.version_info >= (3, 12):  # which Panel 1.10 needs
    STANDING_OUTSIDE.append(("panel_app:app", "Panel"))


@pytest.mark.parametrize(("app", "name"), STANDING_OUTSIDE)
def test_an_app_whose_middleware_stands_inside_does_not_start(app, name, serve_and_fail):
    said = serve_and_fail(app, INSIDE="1")
    assert f"{name} stands outside the middleware" in said
    assert "app = PassthroughAuthMiddleware(app)" in said
