"""A load generator: so many connections, each of which sends its next request when it is answered.

It runs in a process of its own, and counts only answers with status 200.
"""

import asyncio
import time
from dataclasses import dataclass
from statistics import quantiles
from typing import cast

import uvloop
from httptools import HttpResponseParser

from . import sample


@dataclass(frozen=True)
class Load:
    """What a server has answered: so many a second; latencies in milliseconds."""

    per_second: float
    count: int
    p50: float
    p99: float


class UnexpectedAnswer(Exception):
    """A server answered with anything but 200, or hung up."""


class _Connection(asyncio.Protocol):
    """Sends the request, and again whenever it is answered, until `stop`."""

    transport: asyncio.Transport

    def __init__(self, request: bytes, latencies: list[float]) -> None:
        self.request = request
        self.latencies = latencies
        self.stopping = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        self.parser = HttpResponseParser(self)
        self.asked = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.latencies.append(time.perf_counter() - self.asked)
        if self.parser.get_status_code() != 200:
            self.fail(f"status {self.parser.get_status_code()}")
        elif self.stopping:
            self.transport.close()
        else:
            asyncio.get_running_loop().call_soon(self.ask)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stopping:
            if not self.ended.done():
                self.ended.set_result(None)
        else:
            self.fail("the server hung up")

    def fail(self, how: str) -> None:
        self.stopping = True
        if not self.ended.done():
            self.ended.set_exception(UnexpectedAnswer(how))
        self.transport.close()


def put(port: int, seconds: float, connections: int) -> Load:
    """Put a server on loopback under load for so long."""
    return uvloop.run(_put(port, seconds, connections))


async def _put(port: int, seconds: float, connections: int) -> Load:
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    opened = [
        (
            await loop.create_connection(
                lambda: _Connection(sample.raw(), latencies), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    latencies.clear()
    begin = time.perf_counter()
    await asyncio.sleep(seconds)
    count, elapsed = len(latencies), time.perf_counter() - begin
    for connection in opened:
        connection.stopping = True
    await asyncio.gather(*(connection.ended for connection in opened))
    percentiles = quantiles(latencies[:count], n=100)
    return Load(count / elapsed, count, percentiles[49] * 1000, percentiles[98] * 1000)
