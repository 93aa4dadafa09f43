"""The raw client sends exactly the given bytes, and refuses every answer that isn't HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.servers.wire import Wire, exchange
from wsproto.utilities import generate_accept_token

from passthrough_auth.testing import wire as wires
from passthrough_auth.testing.wire import (
    ConnectionEnded,
    Response,
    TimedOut,
    WebSocketClosed,
    WebSocketRefused,
    WireError,
    handshake_bytes,
    request_bytes,
)

GET = b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TIMEOUT = 0.5  # seconds; for what is never to come
PATIENCE = 60.0  # seconds; for what always comes


class Peer:
    """The other end of one connection. It reads the head of a request, then runs a script."""

    def __init__(self, script: Callable[["Peer"], None]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self.listener.getsockname()
        self.received = b""
        self.failure: BaseException | None = None
        self.sent = threading.Event()  # set when the script is done with sending
        self.read = threading.Semaphore(0)  # of how often a `SteadyWire` has read
        self.done = threading.Event()  # set when the test is over
        self.thread = threading.Thread(target=self.run, args=(script,))
        self.thread.start()

    def run(self, script: Callable[["Peer"], None]) -> None:
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(PATIENCE)
        try:
            while b"\r\n\r\n" not in self.received:
                self.received += self.socket.recv(65536)
            script(self)
        except BaseException as failure:  # noqa: BLE001 - raised in the test's own thread
            self.failure = failure
        finally:
            self.socket.close()

    def stop(self) -> None:
        self.done.set()
        self.thread.join(PATIENCE)
        self.listener.close()
        if self.failure is not None:
            raise self.failure


class SteadyWire(Wire):
    """It tells its peer of each piece that it has read, so that no two arrive as one."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer.host, peer.port)
        self._peer = peer

    def read(self, deadline: float, received: bytes | bytearray) -> bytes:
        data = super().read(deadline, received)
        self._peer.read.release()
        return data


Start = Callable[[Callable[[Peer], None]], Peer]


@pytest.fixture
def start() -> Iterator[Start]:
    peers = []

    def start(script: Callable[[Peer], None]) -> Peer:
        peers.append(Peer(script))
        return peers[-1]

    yield start
    for peer in peers:
        peer.stop()


@pytest.fixture
def answered(start: Start) -> Iterator[Callable[..., Wire]]:
    """A connection on which these bytes come back, after which it is closed, or held open.

    One that is held open has them already, and a short timeout for the rest.
    """
    opened = []

    def answered(*pieces: bytes, held: bool = False) -> Wire:
        def script(peer: Peer) -> None:
            for number, piece in enumerate(pieces):
                assert not number or peer.read.acquire(timeout=PATIENCE)
                peer.socket.sendall(piece)
            peer.sent.set()
            if held:
                peer.done.wait(PATIENCE)

        peer = start(script)
        wire = SteadyWire(peer)
        opened.append(wire)
        wire.send(GET)
        if held:
            assert peer.sent.wait(PATIENCE)
            wire.timeout = TIMEOUT
        return wire

    yield answered
    for wire in opened:
        wire.close()


def test_a_body_of_known_length(answered: Callable[..., Wire]) -> None:
    """Every line of a header is kept, in order; names are lower case."""
    wire = answered(
        b"HTTP/1.1 401 No Way\r\nX-A: 1\r\nContent-Len", b"gth: 4\r\nx-a: 2\r\n\r\nbo", b"dy"
    )
    response = wire.receive("GET")
    assert response == Response(
        status=401,
        headers=[("x-a", "1"), ("content-length", "4"), ("x-a", "2")],
        body=b"body",
        chunks=(b"bo", b"dy"),
        reason="No Way",
    )
    assert response.values("X-A") == ["1", "2"]


def test_a_chunk_is_one_however_it_arrives(answered: Callable[..., Wire]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire = answered(head + b"5\r\nab", b"cde\r\n1\r\nf\r", b"\n0\r\n", b"\r\n")
    assert wire.receive("GET").chunks == (b"abcde", b"f")


def test_a_body_that_ends_with_the_connection(answered: Callable[..., Wire]) -> None:
    response = answered(b"HTTP/1.0 200 OK\r\n\r\nab", b"c").receive("GET")
    assert (response.version, response.body) == ("1.0", b"abc")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"204 No"), ("GET", b"304 No")]
)
def test_a_response_without_a_body_is_followed_by_the_next(
    answered: Callable[..., Wire], method: str, status: bytes
) -> None:
    wire = answered(b"HTTP/1.1 " + status + b"\r\nETag: 1\r\n\r\n" + OK)
    assert wire.receive(method).body == b""
    assert wire.receive("GET").body == b"ok"


def test_interim_responses_are_passed_over(answered: Callable[..., Wire]) -> None:
    response = answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + OK).receive(
        "GET"
    )
    assert (response.status, response.interim) == (200, (100, 103))


def test_chunks_can_be_had_before_the_end(answered: Callable[..., Wire]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    incoming = answered(head + b"1\r\na\r\n", held=True).begin("GET")
    assert (incoming.status, next(incoming.chunks())) == (200, b"a")
    with pytest.raises(TimedOut):
        incoming.read()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"okHTTP/1.1 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02",
    ],
)
def test_what_is_no_response_is_shown(answered: Callable[..., Wire], answer: bytes) -> None:
    with pytest.raises(WireError) as caught:
        answered(answer).receive("GET")
    assert caught.value.received == answer
    assert repr(answer) in str(caught.value)


def test_a_long_answer_is_shown_in_part_and_kept_whole(answered: Callable[..., Wire]) -> None:
    with pytest.raises(WireError, match="and 3000 bytes more") as caught:
        answered(b"x" * 5000).receive("GET")
    assert caught.value.received == b"x" * 5000


def test_no_answer_at_all(answered: Callable[..., Wire]) -> None:
    with pytest.raises(ConnectionEnded, match="received: nothing"):
        answered().receive("GET")


def test_an_answer_that_does_not_end(answered: Callable[..., Wire]) -> None:
    wire = answered(b"HTTP/1.1 200", held=True)
    began = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        wire.receive("GET")
    assert caught.value.received == b"HTTP/1.1 200"
    assert TIMEOUT <= time.monotonic() - began < wires.TIMEOUT


def test_a_reset_instead_of_an_answer(start: Start) -> None:
    def reset(peer: Peer) -> None:
        peer.socket.sendall(b"HTTP/1.1 2")
        assert peer.read.acquire(timeout=PATIENCE)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    peer = start(reset)
    with SteadyWire(peer) as wire:
        wire.send(GET)
        with pytest.raises(ConnectionEnded, match="reset") as caught:
            wire.receive("GET")
    assert caught.value.received == b"HTTP/1.1 2"


def test_the_end_of_a_connection(answered: Callable[..., Wire]) -> None:
    assert answered(b"a", b"b").receive_end() == b"ab"
    with pytest.raises(TimedOut) as caught:
        answered(b"ab", held=True).receive_end()
    assert caught.value.received == b"ab"


def test_nobody_listening() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            Wire(*bound.getsockname())


def test_pieces_are_sent_as_they_are(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in its own time: here, when the one before it has arrived."""
    arrivals, pauses = [], []
    arrived = threading.Semaphore(0)

    def watch(peer: Peer) -> None:
        arrived.release()
        while data := peer.socket.recv(100):
            arrivals.append(data)
            arrived.release()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        assert arrived.acquire(timeout=PATIENCE)

    monkeypatch.setattr("tests.servers.wire.time.sleep", pause)
    peer = start(watch)
    with Wire(peer.host, peer.port) as wire:
        wire.send_slowly(b"\xff\0 /\r\n\r\n", b"one", b"\r\ntwo", pause=0.05)
    peer.thread.join(PATIENCE)
    assert [peer.received, *arrivals] == [b"\xff\0 /\r\n\r\n", b"one", b"\r\ntwo"]
    assert pauses == [0.05, 0.05]


def test_an_end_of_sending_is_an_end_and_an_abort_a_reset(start: Start) -> None:
    ended = start(lambda peer: peer.socket.sendall(b"%d" % len(peer.socket.recv(1))))
    with Wire(ended.host, ended.port) as wire:
        wire.send(GET)
        wire.end_sending()
        assert wire.receive_end() == b"0"

    reads = threading.Event()

    def reset(peer: Peer) -> None:
        reads.set()
        with pytest.raises(ConnectionResetError):
            peer.socket.recv(1)

    vanished = start(reset)
    wire = Wire(vanished.host, vanished.port)
    wire.send(GET)
    assert reads.wait(PATIENCE)
    wire.abort()


def test_a_server_that_takes_nothing(start: Start) -> None:
    peer = start(lambda peer: peer.done.wait(PATIENCE))
    with Wire(peer.host, peer.port, timeout=TIMEOUT) as wire, pytest.raises(TimedOut):
        wire.send(GET + b"x" * 50_000_000)


def test_a_refusal_that_comes_before_all_is_sent_counts(start: Start) -> None:
    peer = start(
        lambda peer: peer.socket.sendall(b"HTTP/1.1 431 Large\r\nContent-Length: 0\r\n\r\n")
    )
    (response,) = exchange(peer.host, peer.port, GET + b"x" * 10_000_000)
    assert response.status == 431


def test_pipelined_requests_have_an_answer_each(start: Start) -> None:
    """The method of each request decides whether its answer has a body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    peer = start(lambda peer: peer.socket.sendall(head + OK))
    requests = [request_bytes("HEAD", b"/"), request_bytes("GET", b"/")]
    first, second = exchange(peer.host, peer.port, *requests)
    assert (first.body, second.body) == (b"", b"ok")
    assert peer.received == b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"


def test_requests_are_exactly_what_was_asked_for() -> None:
    assert request_bytes("GET", b"//%2e\xff") == b"GET //%2e\xff HTTP/1.1\r\n\r\n"
    assert request_bytes("GET", b"*", [(b"hOst", b"a"), (b"X_y", b"a\r\n b")]) == (
        b"GET * HTTP/1.1\r\nhOst: a\r\nX_y: a\r\n b\r\n\r\n"
    )
    assert request_bytes("POST", b"/", [(b"a", b"")], b"body", host=b"h") == (
        b"POST / HTTP/1.1\r\nHost: h\r\na: \r\nContent-Length: 4\r\n\r\nbody"
    )
    assert request_bytes("POST", b"/", [(b"TRANSFER-encoding", b"chunked")], b"0\r\n\r\n") == (
        b"POST / HTTP/1.1\r\nTRANSFER-encoding: chunked\r\n\r\n0\r\n\r\n"
    )


def accepting(*frames: bytes, held: bool = False) -> Callable[[Peer], None]:
    """A server that accepts the handshake, sends these bytes and closes."""

    def script(peer: Peer) -> None:
        key = peer.received.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        accept = b"HTTP/1.1 101 Go\r\n" + lines + generate_accept_token(key) + b"\r\n\r\n"
        peer.socket.sendall(accept + b"".join(frames))
        if held:
            peer.received = peer.socket.recv(100)

    return script


def test_a_handshake_is_exactly_what_was_asked_for() -> None:
    sent = handshake_bytes(b"/a", [(b"Origin", b"http://b")], host=b"h")
    key = sent.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
    assert sent == (
        b"GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: " + key + b"\r\nSec-WebSocket-Version: 13\r\nOrigin: http://b\r\n\r\n"
    )
    assert handshake_bytes(b"/a", host=b"h") != handshake_bytes(b"/a", host=b"h")


def test_frames_that_come_with_the_handshake_are_not_lost(start: Start) -> None:
    """Two frames of one message are joined, and a close has its code and reason."""
    peer = start(accepting(b"\x01\x01h", b"\x80\x01i", b"\x88\x06\x11\x31bye!"))
    with Wire(peer.host, peer.port) as wire:
        websocket = wire.upgrade(handshake_bytes(b"/", host=b"h"))
        assert websocket.receive_text() == "hi"
        with pytest.raises(WebSocketClosed) as caught:
            websocket.receive_text()
    assert (caught.value.code, caught.value.reason) == (4401, "bye!")


def test_a_ping_is_answered(start: Start) -> None:
    peer = start(accepting(b"\x89\x01p", b"\x81\x01t", held=True))
    with Wire(peer.host, peer.port) as wire:
        assert wire.upgrade(handshake_bytes(b"/", host=b"h")).receive_text() == "t"
    peer.thread.join(PATIENCE)
    assert peer.received[:2] == b"\x8a\x81"


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (b"", "without a close frame"),
        (b"\x81\x05he", "without a close frame"),
        (b"\xff\xff\xff", "no WebSocket frame"),
        (b"\x82\x01b", "expected a text"),
    ],
)
def test_what_is_no_text_is_shown(start: Start, frames: bytes, message: str) -> None:
    peer = start(accepting(frames))
    with Wire(peer.host, peer.port) as wire:
        websocket = wire.upgrade(handshake_bytes(b"/", host=b"h"))
        with pytest.raises(WireError, match=message) as caught:
            websocket.receive_text()
    assert caught.value.received == frames


def test_a_close_that_is_not_answered(start: Start) -> None:
    peer = start(lambda peer: (accepting()(peer), peer.done.wait(PATIENCE)))
    with Wire(peer.host, peer.port) as wire:
        websocket = wire.upgrade(handshake_bytes(b"/", host=b"h"))
        wire.timeout = TIMEOUT
        with pytest.raises(TimedOut):
            websocket.close()


def test_a_close_that_is_answered_with_nonsense(start: Start) -> None:
    peer = start(accepting(b"\xff\xff\xff", held=True))
    with Wire(peer.host, peer.port) as wire, pytest.raises(WireError, match="no WebSocket frame"):
        wire.upgrade(handshake_bytes(b"/", host=b"h")).close()


def test_a_handshake_accepted_for_another_key(start: Start) -> None:
    lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"
    peer = start(lambda peer: peer.socket.sendall(b"HTTP/1.1 101 Go\r\n" + lines))
    with Wire(peer.host, peer.port) as wire, pytest.raises(WireError, match="sec-websocket-accept"):
        wire.upgrade(handshake_bytes(b"/", host=b"h"))


def test_a_handshake_that_is_refused(start: Start) -> None:
    peer = start(lambda peer: peer.socket.sendall(OK))
    with Wire(peer.host, peer.port) as wire, pytest.raises(WebSocketRefused) as caught:
        wire.upgrade(handshake_bytes(b"/", host=b"h"))
    assert (caught.value.response.status, caught.value.response.body) == (200, b"ok")
