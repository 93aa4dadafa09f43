"""A raw client: it sends exactly the bytes of a case and reads the answers strictly.

    wire = Wire(host, port)
    wire.send(request_bytes("GET", b"/a%2Fb", [(b"Cookie", b"a=1")], host=b"example"))
    response = wire.begin("GET").read()

h11 parses the responses, and wsproto the frames of WebSockets. A protocol violation raises a
`WireError` that shows the bytes received. Times are in seconds.
"""

import re
import secrets
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import h11
from wsproto.connection import Connection as FrameConnection
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Event, Ping, TextMessage
from wsproto.utilities import generate_accept_token

TIMEOUT = 30.0
LARGEST_HEAD = 1024 * 1024  # bytes; ends the wait for a server that never finishes its headers
SWITCHING_PROTOCOLS = 101
SHOWN = 2000  # of the bytes received, in the text of an error

Headers = Sequence[tuple[bytes, bytes]]


class WireError(Exception):
    """The answer is neither HTTP nor WebSocket. `received` has its bytes."""

    def __init__(self, problem: str, received: bytes) -> None:
        shown = repr(received[:SHOWN]) if received else "nothing"
        more = f" and {len(received) - SHOWN} bytes more" if len(received) > SHOWN else ""
        super().__init__(f"{problem}; received: {shown}{more}")
        self.received = received


class TimedOut(WireError):
    """The server took longer than the connection's timeout."""


class ConnectionEnded(WireError):
    """The server closed or reset the connection too early."""


class WebSocketRefused(Exception):
    """The server answered a handshake with an ordinary response, which is in `response`."""

    def __init__(self, response: "Response") -> None:
        super().__init__(response)
        self.response = response


class WebSocketClosed(Exception):
    """The server closed the WebSocket with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response.

    `headers` has a pair for each line, in order, with names in lower case. `chunks` are the chunks
    of the chunked coding, or else the pieces of the body as they arrived. `interim` has the 1xx
    responses before it.
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


class Wire:
    """One connection. `timeout` applies to connecting, to each send, and to each read.

    With a small `receive_buffer` (bytes), a server soon blocks if this client stops reading.
    """

    def __init__(
        self, host: str, port: int, *, timeout: float = TIMEOUT, receive_buffer: int | None = None
    ) -> None:
        self.timeout = timeout
        self.unread = b""  # received, but not used yet
        self.socket = socket.socket()
        try:
            if receive_buffer is not None:
                # This has an effect only before connecting.
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.settimeout(timeout)
            self.socket.connect((host, port))
        except BaseException:
            self.socket.close()
            raise

    def send(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self.socket.settimeout(self.timeout)
        try:
            self.socket.sendall(data)
        except TimeoutError:
            raise TimedOut("the server doesn't read the request", self.unread) from None
        except OSError as error:
            raise ConnectionEnded(f"sending failed: {error.strerror}", self.unread) from None

    def begin(self, method: str) -> "Incoming":
        """Read the head of the next response, to a request with that method."""
        return Incoming(self, method)

    def upgrade(self, handshake: bytes) -> "WebSocket":
        """Send a handshake, and return the open WebSocket. Raises `WebSocketRefused`."""
        self.send(handshake)
        answer = Incoming(self, "GET", upgrade=True)
        if answer.status != SWITCHING_PROTOCOLS:
            raise WebSocketRefused(answer.read())
        key = re.search(rb"(?im)^sec-websocket-key:[ \t]*(\S+)", handshake)
        expected = generate_accept_token(key[1] if key else b"").decode()
        accepted = [value for name, value in answer.headers if name == "sec-websocket-accept"]
        if accepted != [expected]:
            raise WireError(f"expected sec-websocket-accept {expected}", repr(accepted).encode())
        return WebSocket(self)

    def abort(self) -> None:
        """Disconnect without a goodbye: the server gets a reset."""
        lingering = struct.pack("ii", 1, 0)  # on, for no time
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        self.socket.close()

    def close(self) -> None:
        """Close the connection. Closing it again is no error."""
        self.socket.close()

    def deadline(self) -> float:
        """The time by which a read that starts now must end."""
        return time.monotonic() + self.timeout

    def read(self, deadline: float, received: bytes | bytearray) -> bytes:
        """The next bytes, or none at the end. An error shows the bytes in `received`."""
        if self.unread:
            taken, self.unread = self.unread, b""
            return taken
        try:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            return self.socket.recv(65536)
        except TimeoutError:
            raise TimedOut(f"no end after {self.timeout} s", bytes(received)) from None
        except OSError as error:
            problem = f"receiving failed: {error.strerror}"
            raise ConnectionEnded(problem, bytes(received)) from None


class Incoming:
    """A response of which only the head has been read. See `Response`."""

    def __init__(self, wire: Wire, method: str, *, upgrade: bool = False) -> None:
        self._wire = wire
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
        chunks = tuple(self._chunks(self._wire.deadline()))
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
        deadline = self._wire.deadline()
        while True:
            event = self._next(deadline)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise self._error(f"expected a response, not {type(event).__name__}")
            if event.status_code == SWITCHING_PROTOCOLS:
                self._wire.unread = self._parser.trailing_data[0]
                return event
            self._interim.append(event.status_code)

    def _chunks(self, deadline: float | None) -> Iterator[bytes]:
        chunked = ("transfer-encoding", "chunked") in self.headers
        chunk = b""
        while isinstance(event := self._next(deadline or self._wire.deadline()), h11.Data):
            chunk += event.data
            if event.chunk_end or not chunked:
                yield chunk
                chunk = b""
        self._wire.unread = self._parser.trailing_data[0]

    def _next(self, deadline: float) -> h11.Event:
        try:
            while not isinstance(event := self._parser.next_event(), h11.Event):
                data = self._wire.read(deadline, self._received)
                if not data and not self._received:
                    raise ConnectionEnded("the server closed the connection without an answer", b"")
                self._received += data
                self._parser.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise self._error(str(error)) from error
        return event

    def _error(self, problem: str) -> WireError:
        return WireError(problem, bytes(self._received))


class WebSocket:
    """An open WebSocket. It answers pings. Unexpected frames raise a `WireError`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._frames = FrameConnection(ConnectionType.CLIENT)
        self._received = bytearray()

    def send_text(self, text: str) -> None:
        """Send one message."""
        self._wire.send(self._frames.send(TextMessage(text)))

    def receive_text(self) -> str:
        """The next message. Raises `WebSocketClosed` at a close frame."""
        deadline = self._wire.deadline()
        text = ""
        while True:
            event = self._next(deadline)
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return text
            elif isinstance(event, Ping):
                self._wire.send(self._frames.send(event.response()))
            elif isinstance(event, CloseConnection):
                raise self._ending(event)
            else:
                raise WireError(f"expected a text, not {event}", bytes(self._received))

    def close(self, code: int = 1000) -> None:
        """Send a close frame and wait for the server's. Messages before it are dropped."""
        self._wire.send(self._frames.send(CloseConnection(code)))
        deadline = self._wire.deadline()
        while not isinstance(event := self._next(deadline), CloseConnection):
            pass
        ending = self._ending(event)
        if isinstance(ending, WireError):
            raise ending

    def _next(self, deadline: float) -> Event:
        while (event := next(self._frames.events(), None)) is None:
            data = self._wire.read(deadline, self._received)
            if not data:
                problem = "the connection ended without a close frame"
                raise ConnectionEnded(problem, bytes(self._received))
            self._received += data
            self._frames.receive_data(data)
        return event

    def _ending(self, event: CloseConnection) -> WebSocketClosed | WireError:
        if self._frames.state in {ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED}:
            return WebSocketClosed(event.code, event.reason or "")
        # wsproto also returns an event of this type if the bytes aren't a frame.
        return WireError(f"no WebSocket frame: {event.reason}", bytes(self._received))


def request_bytes(
    method: str,
    target: bytes,
    headers: Headers = (),
    body: bytes = b"",
    *,
    host: bytes | None = None,
) -> bytes:
    """One HTTP/1.1 request with exactly this target and these header lines.

    It adds `host` as Host, and Content-Length if the headers don't say how long `body` is.
    """
    lines = [*headers] if host is None else [(b"Host", host), *headers]
    framed = any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in lines)
    if body and not framed:
        lines.append((b"Content-Length", b"%d" % len(body)))
    head = [method.encode("latin-1") + b" " + target + b" HTTP/1.1"]
    head += [name + b": " + value for name, value in lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def handshake_bytes(target: bytes, headers: Headers = (), *, host: bytes) -> bytes:
    """A WebSocket handshake (RFC 6455 4.1) with these header lines after the required ones."""
    needed = [
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", b64encode(secrets.token_bytes(16))),
        (b"Sec-WebSocket-Version", b"13"),
    ]
    return request_bytes("GET", target, [*needed, *headers], host=host)


def _parser(method: str, *, upgrade: bool) -> h11.Connection:
    """A parser for the response to a request with that method.

    h11 must send a request before it can read a response. So it gets a request here that is not
    sent; it decides whether the response can have a body, or switch protocols.
    """
    headers = [("host", "x"), *([("upgrade", "websocket")] if upgrade else [])]
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
    parser.send(
        h11.Request(method="HEAD" if method == "HEAD" else "GET", target="/", headers=headers)
    )
    parser.send(h11.EndOfMessage())
    return parser
