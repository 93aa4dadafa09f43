"""How the suite uses gRPC: one driver for each kind of call, threaded and with asyncio."""

import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc

from passthrough_auth.clients.grpc import (
    aio_insecure_channel,
    aio_secure_channel,
    insecure_channel,
    secure_channel,
)
from passthrough_auth.core import Destinations
from passthrough_auth.testing.clients.drivers.base import AsyncDriver, SyncDriver
from passthrough_auth.testing.clients.grpc_world import method
from passthrough_auth.testing.clients.model import Call, Reply, World


class Channels:
    """The channels of one client, one for each origin that it has called."""

    def __init__(
        self, world: World, destinations: Destinations, secure: Any, insecure: Any
    ) -> None:
        self._credentials = grpc.ssl_channel_credentials(Path(world.ca_file).read_bytes())
        self._destinations = destinations
        self._secure: Callable[..., Any] = secure
        self._insecure: Callable[..., Any] = insecure
        self._opening = threading.Lock()
        self.opened: dict[str, Any] = {}

    def to(self, url: str) -> Any:
        """The channel to that URL's host and port, made when it is first asked for."""
        parts = urlsplit(url)
        with self._opening:
            if parts.netloc not in self.opened:
                self.opened[parts.netloc] = self._made(parts.scheme, parts.netloc)
            return self.opened[parts.netloc]

    def _made(self, scheme: str, target: str) -> Any:
        if scheme == "http":
            return self._insecure(target, destinations=self._destinations)
        return self._secure(target, self._credentials, destinations=self._destinations)


def _arguments(call: Call, *, streamed: bool) -> tuple[Any, dict[str, Any]]:
    path = urlsplit(call.url).path.encode()
    request = iter([path[:3], path[3:]]) if streamed else path
    metadata = tuple((name.lower(), value) for name, value in call.headers.items())
    return request, {"timeout": call.timeout, "metadata": metadata or None}


def _reply(answer: bytes) -> Reply:
    return Reply.of(200, answer)


class _Sync(SyncDriver):
    features = frozenset()
    refused = timed_out = (grpc.RpcError,)
    kind: str

    @contextmanager
    def open(
        self, world: World, destinations: Destinations, base_url: str | None = None
    ) -> Generator[Channels]:
        del base_url  # a channel has its target
        channels = Channels(world, destinations, secure_channel, insecure_channel)
        yield channels
        for channel in channels.opened.values():
            channel.close()

    def fetch(self, client: Channels, call: Call) -> Reply:
        channel = client.to(call.url)
        request, options = _arguments(call, streamed=self.kind.startswith("stream"))
        answer = getattr(channel, self.kind)(method(self.kind))(request, **options)
        return _reply(b"".join(answer) if self.kind.endswith("stream") else answer)


class _Aio(AsyncDriver):
    features = frozenset({"cancellation"})
    refused = timed_out = (grpc.RpcError,)
    kind: str

    @asynccontextmanager
    async def connect(
        self, world: World, destinations: Destinations, base_url: str | None
    ) -> AsyncGenerator[Channels]:
        del base_url
        channels = Channels(world, destinations, aio_secure_channel, aio_insecure_channel)
        yield channels
        for channel in channels.opened.values():
            await channel.close()

    async def call(self, client: Channels, call: Call) -> Reply:
        channel = client.to(call.url)
        request, options = _arguments(call, streamed=self.kind.startswith("stream"))
        answer = getattr(channel, self.kind)(method(self.kind))(request, **options)
        if self.kind.endswith("stream"):
            return _reply(b"".join([piece async for piece in answer]))
        return _reply(await answer)


class UnaryUnary(_Sync):
    """One request, one answer."""

    name, kind = "grpc-unary-unary", "unary_unary"


class UnaryStream(_Sync):
    """One request, a stream of answers."""

    name, kind = "grpc-unary-stream", "unary_stream"


class StreamUnary(_Sync):
    """A stream of requests, one answer."""

    name, kind = "grpc-stream-unary", "stream_unary"


class StreamStream(_Sync):
    """Streams both ways."""

    name, kind = "grpc-stream-stream", "stream_stream"


class AioUnaryUnary(_Aio):
    """`UnaryUnary` with asyncio."""

    name, kind = "grpc-aio-unary-unary", "unary_unary"


class AioUnaryStream(_Aio):
    """`UnaryStream` with asyncio."""

    name, kind = "grpc-aio-unary-stream", "unary_stream"


class AioStreamUnary(_Aio):
    """`StreamUnary` with asyncio."""

    name, kind = "grpc-aio-stream-unary", "stream_unary"


class AioStreamStream(_Aio):
    """`StreamStream` with asyncio."""

    name, kind = "grpc-aio-stream-stream", "stream_stream"
