"""Clients that don't do as they should: each a few lines over a raw connection of its own."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice

from tests.servers.wire import Wire
from tests.soak.asks import Ask
from tests.soak.speech import answer_of

from passthrough_auth.testing.conformance import handlers
from passthrough_auth.testing.conformance.model import Answer
from passthrough_auth.testing.wire import TimedOut

_BUFFER = 4096  # bytes; a client that has stopped reading takes no more
_WAIT = 0.2  # seconds without reading
_PATIENCE = 0.005  # seconds; less than the handler takes
_PIECES = 5

Connect = Callable[..., Wire]
Act = Callable[[Connect, bytes], Answer | None]
"""Given how to connect, and the request to make; the answer if there is one to judge."""


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """One way to misbehave, and a request to do it with."""

    name: str
    ask: Ask
    act: Act

    @property
    def weight(self) -> int:
        """How often it is done, compared with the others."""
        return self.ask.weight


def _hang_up_in_body(connect: Connect, request: bytes) -> Answer:
    with closing(connect()) as wire:
        wire.send(request)
        incoming = wire.begin("GET")
        body = b"".join(islice(incoming.chunks(), 2))
        wire.abort()
    return answer_of(incoming, [body[: body.rfind(b"\n") + 1]])


def _hang_up_in_upload(connect: Connect, request: bytes) -> None:
    with closing(connect()) as wire:
        wire.send(request[: len(request) // 2])
        wire.abort()


def _hang_up_in_header(connect: Connect, request: bytes) -> None:
    with closing(connect()) as wire:
        wire.send(request[:-2])


def _hang_up_at_once(connect: Connect, request: bytes) -> None:
    with closing(connect()) as wire:
        wire.send(request)
        wire.abort()


def _stop_reading(connect: Connect, request: bytes) -> None:
    with closing(connect(receive_buffer=_BUFFER)) as wire:
        wire.send(request)
        next(wire.begin("GET").chunks())
        time.sleep(_WAIT)


def _pause_reading(connect: Connect, request: bytes) -> Answer:
    with closing(connect(receive_buffer=_BUFFER)) as wire:
        wire.send(request)
        incoming = wire.begin("GET")
        time.sleep(_WAIT)
        return answer_of(incoming, list(incoming.chunks()))


def _half_close(connect: Connect, request: bytes) -> Answer:
    with closing(connect()) as wire:
        wire.send(request)
        wire.end_sending()
        incoming = wire.begin("GET")
        return answer_of(incoming, list(incoming.chunks()))


def _give_up(connect: Connect, request: bytes) -> None:
    with closing(connect(timeout=_PATIENCE)) as wire, suppress(TimedOut):
        wire.send(request)
        wire.receive_bytes()


def _dawdle(connect: Connect, request: bytes) -> Answer:
    with closing(connect()) as wire:
        size = len(request) // _PIECES + 1
        pieces = [request[start : start + size] for start in range(0, len(request), size)]
        wire.send_slowly(*pieces, pause=_WAIT / _PIECES)
        incoming = wire.begin("POST")
        return answer_of(incoming, list(incoming.chunks()))


def _leave_websocket(connect: Connect, request: bytes) -> None:
    with closing(connect()) as wire:
        wire.upgrade(request).receive_text()
        wire.abort()


# Some servers let a handler go on after its client has left; there, it takes a thread for seconds.
_ENDLESS = Ask("/endless", lines=1)
_LARGE = Ask("/large", 4, lines=handlers.LARGE_CHUNKS)
_BEGUN = Ask("/large", 4, lines=1)
_STREAM = Ask("/stream", 4, lines=handlers.CHUNKS)
_UPLOAD = Ask("/upload", 4, "POST", b"x" * 200_000)
_ABANDONED = Ask("/abandoned/", 4, later="either")
_AABANDONED = Ask("/aabandoned/", 4, later="either", needs="async")
_WEBSOCKET = Ask("/ws", 4, websocket=True, needs="websocket")

MISBEHAVIOURS = (
    Misbehaviour("hangs up in a body", _BEGUN, _hang_up_in_body),
    Misbehaviour("hangs up in an endless body", _ENDLESS, _hang_up_in_body),
    Misbehaviour("hangs up in an upload", _UPLOAD, _hang_up_in_upload),
    Misbehaviour("hangs up in a header", Ask("/whoami", 4), _hang_up_in_header),
    Misbehaviour("hangs up at once", _ABANDONED, _hang_up_at_once),
    Misbehaviour("hangs up at once", _AABANDONED, _hang_up_at_once),
    Misbehaviour("gives up waiting", _ABANDONED, _give_up),
    Misbehaviour("gives up waiting", _AABANDONED, _give_up),
    Misbehaviour("stops reading", _LARGE, _stop_reading),
    Misbehaviour("pauses reading", _LARGE, _pause_reading),
    Misbehaviour("half-closes", _STREAM, _half_close),
    Misbehaviour("half-closes", Ask("/slow", 4), _half_close),
    Misbehaviour("dawdles", _UPLOAD, _dawdle),
    Misbehaviour("leaves a websocket", _WEBSOCKET, _leave_websocket),
)
