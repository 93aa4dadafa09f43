"""The raw client of the conformance suite, with more methods for the tests of servers."""

import socket
import time
from contextlib import suppress

from passthrough_auth.testing import wire
from passthrough_auth.testing.wire import TIMEOUT, ConnectionEnded


class Wire(wire.Wire):
    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.close()

    def send_slowly(self, *pieces, pause):
        """Send the pieces one after the other, with a pause in seconds between them."""
        for number, piece in enumerate(pieces):
            if number:
                time.sleep(pause)
            self.send(piece)

    def receive(self, method):
        """Read the next response to its end."""
        return self.begin(method).read()

    def receive_bytes(self):
        """The bytes that have arrived, at least one; none at the end of the connection."""
        return self.read(self.deadline(), b"")

    def receive_end(self):
        """All bytes up to the end of the connection; `TimedOut` if the server keeps it open."""
        deadline = self.deadline()
        received = bytearray()
        while data := self.read(deadline, received):
            received += data
        return bytes(received)

    def end_sending(self):
        """Close our half of the connection; the answer can still be read."""
        self.socket.shutdown(socket.SHUT_WR)


def exchange(host, port, *requests, timeout=TIMEOUT):
    """Send the requests at once, on one connection, and read a response to each.

    A server may refuse a request and close before it has taken all of it. That response counts.
    """
    with Wire(host, port, timeout=timeout) as wire:
        with suppress(ConnectionEnded):
            wire.send(b"".join(requests))
        return [wire.receive(request.partition(b" ")[0].decode("latin-1")) for request in requests]
