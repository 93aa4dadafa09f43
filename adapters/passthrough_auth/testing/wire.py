"""A raw client: it sends exactly the bytes it is given and reads the answers strictly.

    with Wire(host, port) as wire:
        wire.send(request_bytes("GET", b"/a%2Fb", [(b"Cookie", b"a=1")], host=b"example"))
        response = wire.receive("GET")

Responses are parsed by h11 and websocket frames by wsproto, from the bytes that arrived. Whatever
isn't as it should be is a `WireError` that shows those bytes. Times are in seconds.
"""

import re
import secrets
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import h11
from wsproto.connection import Connection as FrameConnection
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import generate_accept_token

__all__ = [
    "ConnectionEnded",
    "Headers",
    "Incoming",
    "Response",
    "TimedOut",
    "WebSocket",
    "WebSocketClosed",
    "WebSocketRefused",
    "Wire",
    "WireError",
    "exchange",
    "handshake_bytes",
    "request_bytes",
]

TIMEOUT = 10.0
LARGEST_HEAD = 1024 * 1024  # bytes; only so that a server which never ends its header is noticed
SWITCHING_PROTOCOLS = 101
SHOWN = 2000  # bytes of what was received that an error's text holds

Headers = Sequence[tuple[bytes, bytes]]


class WireError(Exception):
    """What arrived isn't what HTTP or WebSocket ask for; `received` holds it, byte for byte."""

    def __init__(self, what: str, received: bytes) -> None:
        shown = repr(received[:SHOWN]) if received else "nothing"
        more = f" and {len(received) - SHOWN} bytes more" if len(received) > SHOWN else ""
        super().__init__(f"{what}; received: {shown}{more}")
        self.received = received


class TimedOut(WireError):
    """The server took longer than the connection's timeout."""


class ConnectionEnded(WireError):
    """The server closed or reset the connection before it was due."""


class WebSocketRefused(Exception):
    """A handshake was answered with an ordinary response, which is the argument."""

    def __init__(self, response: "Response") -> None:
        super().__init__(response)
        self.response = response


class WebSocketClosed(Exception):
    """The server closed the websocket with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Response:
    """A response that arrived whole.

    `headers` has a pair for each line, in order, names in lower case. `chunks` are the chunks of
    the chunked coding, else the pieces of the body as they came. `interim` has the 1xx before it.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunks: tuple[bytes, ...] = ()
    reason: str = ""
    version: str = "1.1"
    interim: tuple[int, ...] = ()

    def values(self, name: str) -> list[str]:
        """The value of each line of that header."""
        return [value for known, value in self.headers if known == name.lower()]


class _Stream:
    """A connected socket, and what was read from it but not used yet."""

    def __init__(self, host: str, port: int, timeout: float, receive_buffer: int | None) -> None:
        self.timeout = timeout
        self.unread = b""
        self.socket = socket.socket()
        try:
            if receive_buffer is not None:
                # Only heeded before the connection is made.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(timeout)
            self.socket.connect((host, port))
        except BaseException:
            self.socket.close()
            raise

    def deadline(self) -> float:
        return time.monotonic() + self.timeout

    def send(self, data: bytes) -> None:
        self.socket.settimeout(self.timeout)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise TimedOut("the server doesn't take what is sent", self.unread) from None
        except OSError as error:
            raise ConnectionEnded(f"sending failed: {error.strerror}", self.unread) from None

    def receive(self, deadline: float, received: bytes | bytearray) -> bytes:
        """What comes next, b"" at the end; `received` is what an error shall show."""
        if self.unread:
            taken, self.unread = self.unread, b""
            return taken
        left = deadline - time.monotonic()
        try:
            self.socket.settimeout(max(left, 0.001))
            return self.socket.recv(65536)
        except TimeoutError:
            raise TimedOut(f"no end after {self.timeout} s", bytes(received)) from None
        except OSError as error:
            what = f"receiving failed: {error.strerror}"
            raise ConnectionEnded(what, bytes(received)) from None


class Wire:
    """One connection. `timeout` holds for connecting, for each send, and for each thing received.

    A small `receive_buffer` (bytes) makes a server feel soon that this client has stopped reading.
    """

    def __init__(
        self, host: str, port: int, *, timeout: float = TIMEOUT, receive_buffer: int | None = None
    ) -> None:
        self._stream = _Stream(host, port, timeout, receive_buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Send the pieces one after the other, with a pause between them."""
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(pause)
            self._stream.send(piece)

    def begin(self, method: str) -> "Incoming":
        """Read the head of the next response, which answers a request of that method."""
        return Incoming(self._stream, method)

    def receive(self, method: str) -> Response:
        """Read the next response to its end."""
        return self.begin(method).read()

    def receive_bytes(self) -> bytes:
        """What has arrived, at least one byte; nothing at the end of the connection."""
        return self._stream.receive(self._stream.deadline(), b"")

    def receive_end(self) -> bytes:
        """Everything up to the end of the connection; `TimedOut` if the server keeps it open."""
        deadline = self._stream.deadline()
        received = bytearray()
        while data := self._stream.receive(deadline, received):
            received += data
        return bytes(received)

    def upgrade(self, request: bytes) -> "WebSocket":
        """Send a handshake and speak WebSocket from then on. Raises `WebSocketRefused`."""
        self._stream.send(request)
        answer = Incoming(self._stream, "GET", upgrade=True)
        if answer.status != SWITCHING_PROTOCOLS:
            raise WebSocketRefused(answer.read())
        _check_accepted(request, answer)
        return WebSocket(self._stream)

    def end_sending(self) -> None:
        """Close our half of the connection; the answer can still be read."""
        self._stream.socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Vanish: the server gets a reset."""
        lingering = struct.pack("ii", 1, 0)  # on, for no time
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        self._stream.socket.close()

    def close(self) -> None:
        """Close the connection; again is no error."""
        self._stream.socket.close()


class Incoming:
    """A response whose head has arrived; its body is read when asked for.

    `status` and `headers` are those of `Response`.
    """

    def __init__(self, stream: _Stream, method: str, *, upgrade: bool = False) -> None:
        self._stream = stream
        self._parser = _parser(method, upgrade=upgrade)
        self._received = bytearray()
        self._interim: list[int] = []
        self._head = self._read_head()
        self.status = self._head.status_code
        self.headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in self._head.headers]

    def chunks(self) -> Iterator[bytes]:
        """The parts of the body as they arrive, each within the timeout; see `Response.chunks`."""
        return self._chunks(None)

    def read(self) -> Response:
        """The whole response, within the timeout."""
        chunks = tuple(self._chunks(self._stream.deadline()))
        return Response(
            status=self.status,
            headers=self.headers,
            body=b"".join(chunks),
            chunks=chunks,
            reason=self._head.reason.decode("latin-1"),
            version=self._head.http_version.decode("latin-1"),
            interim=tuple(self._interim),
        )

    def _read_head(self) -> h11.Response | h11.InformationalResponse:
        deadline = self._stream.deadline()
        while True:
            event = self._next(deadline)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise self._error(f"instead of a response came {type(event).__name__}")
            if event.status_code == SWITCHING_PROTOCOLS:
                self._stream.unread = self._parser.trailing_data[0]
                return event
            self._interim.append(event.status_code)

    def _chunks(self, deadline: float | None) -> Iterator[bytes]:
        chunked = ("transfer-encoding", "chunked") in self.headers
        chunk = b""
        while isinstance(event := self._next(deadline or self._stream.deadline()), h11.Data):
            chunk += event.data
            if event.chunk_end or not chunked:
                yield chunk
                chunk = b""
        self._stream.unread = self._parser.trailing_data[0]

    def _next(self, deadline: float) -> h11.Event:
        try:
            while not isinstance(event := self._parser.next_event(), h11.Event):
                data = self._stream.receive(deadline, self._received)
                if not data and not self._received:
                    raise ConnectionEnded("the server closed the connection without a word", b"")
                self._received += data
                self._parser.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise self._error(str(error)) from error
        return event

    def _error(self, what: str) -> WireError:
        return WireError(what, bytes(self._received))


class WebSocket:
    """An open websocket. Pings are answered; anything but a message or a close is a `WireError`."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._frames = FrameConnection(ConnectionType.CLIENT)
        self._received = bytearray()

    def send_text(self, text: str) -> None:
        """Send one message."""
        self._stream.send(self._frames.send(TextMessage(text)))

    def receive_text(self) -> str:
        """The next message. Raises `WebSocketClosed` at a close frame."""
        deadline = self._stream.deadline()
        text = ""
        while True:
            event = self._next(deadline)
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return text
            elif isinstance(event, Ping):
                self._stream.send(self._frames.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise self._ending(event)
            else:
                raise WireError(f"expected a text, not {event}", bytes(self._received))

    def close(self, code: int = 1000) -> None:
        """Send a close frame and wait for the server's; messages before it are dropped."""
        self._stream.send(self._frames.send(CloseConnection(code)))
        deadline = self._stream.deadline()
        while not isinstance(event := self._next(deadline), CloseConnection):
            pass
        ending = self._ending(event)
        if isinstance(ending, WireError):
            raise ending

    def _next(self, deadline: float) -> Event:
        while (event := next(self._frames.events(), None)) is None:
            data = self._stream.receive(deadline, self._received)
            if not data:
                what = "the connection ended without a close frame"
                raise ConnectionEnded(what, bytes(self._received))
            self._received += data
            self._frames.receive_data(data)
        return event

    def _ending(self, event: CloseConnection) -> WebSocketClosed | WireError:
        if self._frames.state in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
            return WebSocketClosed(event.code, event.reason or "")
        # wsproto also says that what came was no frame by an event of this type.
        return WireError(f"no websocket frame: {event.reason}", bytes(self._received))


def request_bytes(
    method: str,
    target: bytes,
    headers: Headers = (),
    body: bytes = b"",
    *,
    host: bytes | None = None,
) -> bytes:
    """One HTTP/1.1 request, the target and the header lines exactly as given.

    Added are Host, if one is given, and Content-Length, if there is a body that the headers don't
    frame.
    """
    lines = [*headers] if host is None else [(b"Host", host), *headers]
    framed = any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in lines)
    if body and not framed:
        lines.append((b"Content-Length", b"%d" % len(body)))
    head = [method.encode("latin-1") + b" " + target + b" HTTP/1.1"]
    head += [name + b": " + value for name, value in lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def handshake_bytes(target: bytes, headers: Headers = (), *, host: bytes) -> bytes:
    """A websocket handshake (RFC 6455 4.1) with these header lines after the needed ones."""
    needed = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", b64encode(secrets.token_bytes(16))),
        (b"Sec-WebSocket-Version", b"13"),
    ]
    return request_bytes("GET", target, [*needed, *headers], host=host)


def exchange(host: str, port: int, *requests: bytes, timeout: float = TIMEOUT) -> list[Response]:
    """Send the requests at once, on one connection, and read a response to each.

    A server may refuse a request and close before it has taken all of it: that response counts.
    """
    with Wire(host, port, timeout=timeout) as wire:
        with suppress(ConnectionEnded):
            wire.send(b"".join(requests))
        return [wire.receive(_method(request)) for request in requests]


def _method(request: bytes) -> str:
    return request.partition(b" ")[0].decode("latin-1")


def _parser(method: str, *, upgrade: bool) -> h11.Connection:
    """A parser for the response to a request of that method.

    h11 must have seen a request before it reads a response. What it makes of ours is thrown away;
    only whether the response can have a body, or switch protocols, depends on it.
    """
    headers = [("host", "x"), *([("upgrade", "websocket")] if upgrade else [])]
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
    parser.send(
        h11.Request(method="HEAD" if method == "HEAD" else "GET", target="/", headers=headers)
    )
    parser.send(h11.EndOfMessage())
    return parser


def _check_accepted(request: bytes, answer: Incoming) -> None:
    key = re.search(rb"(?im)^sec-websocket-key:[ \t]*(\S+)", request)
    accepted = [value for name, value in answer.headers if name == "sec-websocket-accept"]
    expected = generate_accept_token(key[1] if key else b"").decode()
    if accepted != [expected]:
        raise WireError(f"expected sec-websocket-accept {expected}", repr(accepted).encode())
