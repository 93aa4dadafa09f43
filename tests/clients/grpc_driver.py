"""How the suite uses gRPC: for each kind of call, threaded and with asyncio.

Longer than other drivers, because a channel leads to one target, and each kind of call takes its
request and gives its answer in a way of its own.
"""

import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import grpc
from tests.clients.grpc_world import method
from tests.clients.suite import AsyncDriver, Reply, SyncDriver

from passthrough_auth.clients import grpc as adapter


class _Channels:
    """The channels of one client, one for each origin that it has called."""

    def __init__(self, world, destinations, secure, insecure):
        trusted = grpc.ssl_channel_credentials(Path(world.ca_file).read_bytes())
        self._make = {
            "https": lambda target: secure(target, trusted, destinations=destinations),
            "http": lambda target: insecure(target, destinations=destinations),
        }
        self._opening = threading.Lock()
        self.opened = {}

    def to(self, url):
        parts = urlsplit(url)
        with self._opening:
            if parts.netloc not in self.opened:
                self.opened[parts.netloc] = self._make[parts.scheme](parts.netloc)
            return self.opened[parts.netloc]


class _Kind:
    """A kind of call, by the second half of the name: "unary-stream" has a stream of answers."""

    refused = timed_out = (grpc.RpcError,)

    def __init__(self, name):
        self.name = name
        self.kind = "_".join(name.split("-")[-2:])
        without = {"http"}
        if isinstance(self, AsyncDriver) and self.kind != "unary_unary":
            without.add("refusals")  # grpc.aio makes the errors of streams out of our sight
        self.features = type(self).features - without

    def begin(self, channels, call):
        path = urlsplit(call.url).path.encode()
        request = iter([path[:3], path[3:]]) if self.kind.startswith("stream") else path
        metadata = tuple((name.lower(), value) for name, value in call.headers.items())
        make = getattr(channels.to(call.url), self.kind)(method(self.kind))
        return make(request, timeout=call.timeout, metadata=metadata or None)


class Sync(_Kind, SyncDriver):
    @contextmanager
    def open(self, world, destinations, base_url=None):  # a channel has its target
        makers = adapter.secure_channel, adapter.insecure_channel
        channels = _Channels(world, destinations, *makers)
        yield channels
        for channel in channels.opened.values():
            channel.close()

    def fetch(self, client, call):
        answer = self.begin(client, call)
        return Reply.of(200, b"".join(answer) if self.kind.endswith("stream") else answer)


class Aio(_Kind, AsyncDriver):
    @asynccontextmanager
    async def connect(self, world, destinations, base_url):
        makers = adapter.aio_secure_channel, adapter.aio_insecure_channel
        channels = _Channels(world, destinations, *makers)
        yield channels
        for channel in channels.opened.values():
            await channel.close()

    async def call(self, client, call):
        answer = self.begin(client, call)
        if self.kind.endswith("stream"):
            return Reply.of(200, b"".join([piece async for piece in answer]))
        return Reply.of(200, await answer)
