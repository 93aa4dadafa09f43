"""How the suite uses httpx, and httpx2, which is used in the same way."""

import ssl
from contextlib import asynccontextmanager, contextmanager, nullcontext
from functools import partial
from importlib import import_module

from tests.clients.suite import AsyncDriver, Reply, SyncDriver


class _Library:
    def __init__(self, name):
        self.name = name
        library, _, is_async = name.partition("-")
        self.httpx = import_module(library)
        adapter = import_module(f"passthrough_auth.clients.{library}")
        self.make = adapter.async_caller_client if is_async else adapter.caller_client
        self.refused, self.timed_out = (self.httpx.ConnectError,), (self.httpx.ReadTimeout,)
        self.features = type(self).features | {"base_url", "digest", "environment_proxies"}

    def client(self, world, destinations, base_url, **options):
        # With more than 20 connections open, idle ones are closed. One counts as idle until the
        # thread that it was given to begins to use it, and may be closed under it: "Bad file
        # descriptor", once in some thousand calls of 64 threads with httpcore 1.0.9.
        limits = self.httpx.Limits(max_keepalive_connections=100, keepalive_expiry=None)
        options |= {"verify": ssl.create_default_context(cafile=world.ca_file), "limits": limits}
        options |= {"base_url": base_url or "", "follow_redirects": True}
        return self.make(destinations, **options)

    def request(self, client, call):
        auth = self.httpx.DigestAuth(*call.digest) if call.digest else None
        options = {"content": call.body, "timeout": call.timeout, "auth": auth}
        return client.request(call.method, call.url, headers=dict(call.headers), **options)


class Sync(_Library, SyncDriver):
    @contextmanager
    def open(self, world, destinations, base_url=None, **options):
        with self.client(world, destinations, base_url, **options) as shared:
            yield shared, partial(self.client, world, destinations, base_url)

    def fetch(self, client, call):
        shared, proxied = client  # a proxy is given to a client, not to a call
        with proxied(proxy=call.proxy) if call.proxy else nullcontext(shared) as chosen:
            answer = self.request(chosen, call)
        if call.raises:
            answer.raise_for_status()
        return Reply.of(answer.status_code, answer.content, answer.headers)


class Async(_Library, AsyncDriver):
    @asynccontextmanager
    async def connect(self, world, destinations, base_url, **options):
        async with self.client(world, destinations, base_url, **options) as shared:
            yield shared, partial(self.client, world, destinations, base_url)

    async def call(self, client, call):
        shared, proxied = client
        async with proxied(proxy=call.proxy) if call.proxy else nullcontext(shared) as chosen:
            answer = await self.request(chosen, call)
        if call.raises:
            answer.raise_for_status()
        return Reply.of(answer.status_code, answer.content, answer.headers)
