"""The bytes that clients send to a server, and how they read its answers."""

from tests.servers.wire import Wire
from tests.soak.judge import Sent

from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.conformance.model import Answer
from passthrough_auth.testing.conformance.serving import HEADER
from passthrough_auth.testing.wire import (
    Incoming,
    WebSocketRefused,
    handshake_bytes,
    request_bytes,
)

_HOST = b"app.example.com"


def spoken(sent: Sent, column: Column) -> bytes:
    """A request to that column, or a handshake, as it goes over the wire."""
    headers = [(HEADER.encode(), f"{column.name};default".encode())]
    headers += [(name.encode(), value.encode()) for name, value in sent.credentials.items()]
    target = sent.ask.path.encode()
    if target.endswith(b"/"):
        target += sent.mark.encode()
    if sent.ask.websocket:
        return handshake_bytes(target, headers, host=_HOST)
    return request_bytes(sent.ask.method, target, headers, sent.ask.body, host=_HOST)


def answer_of(incoming: Incoming, pieces: list[bytes]) -> Answer:
    """An answer, with these pieces of its body."""
    return Answer(incoming.status, tuple(incoming.headers), b"".join(pieces), tuple(pieces))


def converse(wire: Wire, handshake: bytes) -> Answer:
    """A short conversation over a websocket."""
    try:
        socket = wire.upgrade(handshake)
    except WebSocketRefused as refused:
        response = refused.response
        return Answer(response.status, tuple(response.headers), response.body)
    first = socket.receive_text()
    socket.send_text("again")
    messages = f"{first}\n{socket.receive_text()}\n".encode()
    socket.close()
    return Answer(101, (), messages)
