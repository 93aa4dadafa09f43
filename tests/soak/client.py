"""One client: conversations over kept connections, pipelined bursts, websockets."""

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import TypeVar

from tests.servers.wire import Wire
from tests.soak.asks import Ask, asks
from tests.soak.judge import Sent
from tests.soak.misbehaviour import MISBEHAVIOURS, Misbehaviour
from tests.soak.speech import answer_of, converse, spoken
from tests.soak.traffic import Traffic

from passthrough_auth.testing.conformance.model import Answer
from passthrough_auth.testing.wire import ConnectionEnded, TimedOut, WireError

_TIMEOUT = 60.0  # seconds; a busy machine is no fault
_PIPELINED = 0.15  # of the rounds that behave
_NEW_CONNECTION = 0.2
AT_ONCE = 6  # requests in one round, at most


Kind = TypeVar("Kind", Ask, Misbehaviour)


class Client:
    """Makes requests until there are no more to make."""

    def __init__(self, traffic: Traffic, chance: Random) -> None:
        self.traffic = traffic
        self.chance = chance
        offers = traffic.column.offers
        self._asks = asks(traffic.server.name, offers)
        self._pipelined = [ask for ask in self._asks if ask.pipelined]
        self._misbehaviours = [
            each for each in MISBEHAVIOURS if each.ask.needs is None or each.ask.needs in offers
        ]
        self._wire: Wire | None = None
        self._asked = "nothing"

    def run(self) -> None:
        """Take rounds of requests, and make them."""
        while number := self.traffic.take(self.chance.randint(1, AT_ONCE)):
            try:
                self._round(number)
            except (WireError, OSError) as error:
                self.hang_up()
                self.traffic.failed(f"{self._asked}: {type(error).__name__}: {error}")
                if self.traffic.killing:
                    self.traffic.plan(number)
                    self.traffic.service.wait()
        self.hang_up()

    def _round(self, number: int) -> None:
        if self.chance.random() < _NEW_CONNECTION:
            self.hang_up()
        if self.traffic.misbehaves():
            for how in self._choose(self._misbehaviours, number):
                self._misbehave(how)
        elif self.traffic.server.pipelining and self.chance.random() < _PIPELINED:
            self._pipeline([self._sent(ask) for ask in self._choose(self._pipelined, number)])
        else:
            for ask in self._choose(self._asks, number):
                self._exchange(self._sent(ask))

    def _choose(self, kinds: Sequence[Kind], number: int) -> list[Kind]:
        return self.chance.choices(kinds, [kind.weight for kind in kinds], k=number)

    def _sent(self, ask: Ask) -> Sent:
        self._asked = f"{ask.method} {ask.path}"
        return self.traffic.sent(ask, self.chance)

    def _bytes(self, sent: Sent) -> bytes:
        return spoken(sent, self.traffic.column)

    def _connect(self, *, timeout: float = _TIMEOUT, receive_buffer: int | None = None) -> Wire:
        running = self.traffic.service.running
        return Wire(running.host, running.port, timeout=timeout, receive_buffer=receive_buffer)

    def hang_up(self) -> None:
        """Close the kept connection, if there is one."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _kept(self) -> Wire:
        if self._wire is None:
            self._wire = self._connect()
        return self._wire

    def _exchange(self, sent: Sent) -> None:
        fresh = self._wire is None
        try:
            answer = self._speak(sent)
        except ConnectionEnded as error:
            self.hang_up()
            if error.received or (fresh and sent.ask.status is not None):
                raise
            if fresh:
                # Of a body that fails, granian (2.8.7) sends nothing now and then.
                self.traffic.cut()
            else:
                # A server may close an idle connection at any time (RFC 9112 section 9.5).
                self._exchange(sent)
        else:
            self.traffic.answered(sent, answer)

    def _speak(self, sent: Sent) -> Answer:
        wire = self._kept()
        if sent.ask.websocket:
            answer = converse(wire, self._bytes(sent))
            self.hang_up()
            return answer
        with suppress(ConnectionEnded):
            # A refusal may come, and the connection end, before a whole body was taken.
            wire.send(self._bytes(sent))
        answer = self._read(wire, sent.ask)
        if not self.traffic.server.keep_alive or answer.values("connection") == ["close"]:
            self.hang_up()
        return answer

    def _read(self, wire: Wire, ask: Ask) -> Answer:
        incoming = wire.begin(ask.method)
        pieces: list[bytes] = []
        try:
            for piece in incoming.chunks():
                pieces.append(piece)  # noqa: PERF402 - pieces before an error count
        except WireError:
            if ask.status is not None:
                raise
            self.hang_up()
        return answer_of(incoming, pieces)

    def _pipeline(self, many: list[Sent]) -> None:
        # Not on a kept connection: it may end, and pipelined requests can't be sent again.
        self.hang_up()
        wire = self._kept()
        wire.send(b"".join(map(self._bytes, many)))
        for sent in many:
            self.traffic.answered(sent, self._read(wire, sent.ask))

    def _misbehave(self, how: Misbehaviour) -> None:
        sent = self._sent(how.ask)
        self.traffic.injected(how.name)
        self.hang_up()
        try:
            answer = how.act(self._connect, self._bytes(sent))
        except TimedOut as error:
            self.traffic.failed(f"a client that {how.name}: {error}")
        except WireError:
            pass  # the server may end the connection of such a client
        else:
            if answer is not None:
                self.traffic.answered(sent, answer)
