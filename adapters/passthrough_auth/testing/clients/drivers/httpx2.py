"""How the suite uses httpx2."""

import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2

from passthrough_auth.clients.httpx2 import async_caller_client, caller_client
from passthrough_auth.core import Destinations
from passthrough_auth.testing.clients.drivers.base import AsyncDriver, SyncDriver
from passthrough_auth.testing.clients.model import Call, Reply, World


def _options(world: World, base_url: str | None, proxy: str | None = None) -> dict[str, Any]:
    return {
        "base_url": base_url or "",
        "verify": ssl.create_default_context(cafile=world.ca_file),
        "follow_redirects": True,
        "proxy": proxy,
        # With more than 20 connections open, idle ones are closed. One counts as idle until the
        # thread that it was given to begins to use it, and may be closed under it: "Bad file
        # descriptor", once in some thousand calls of 64 threads with httpcore 1.0.9.
        "limits": httpx2.Limits(max_keepalive_connections=100, keepalive_expiry=None),
    }


def _request(call: Call) -> dict[str, Any]:
    return {
        "method": call.method,
        "url": call.url,
        "headers": dict(call.headers),
        "content": call.body,
        "timeout": call.timeout,
        "auth": httpx2.DigestAuth(*call.digest) if call.digest else httpx2.USE_CLIENT_DEFAULT,
    }


def _reply(response: httpx2.Response) -> Reply:
    return Reply.of(response.status_code, response.content, response.headers.get("set-cookie"))


class Sync(SyncDriver):
    """`httpx2.Client`. A proxy is given to a client, not to a call."""

    name = "httpx2"
    features = SyncDriver.features | {"base_url", "digest"}
    refused = (httpx2.ConnectError,)
    timed_out = (httpx2.ReadTimeout,)

    @contextmanager
    def open(
        self, world: World, destinations: Destinations, base_url: str | None = None
    ) -> Generator[Any]:
        def client(proxy: str | None = None) -> httpx2.Client:
            return caller_client(destinations, **_options(world, base_url, proxy))

        with client() as shared:
            yield shared, client

    def fetch(self, client: Any, call: Call) -> Reply:
        shared, make = client
        if call.proxy is None:
            return _reply(shared.request(**_request(call)))
        with make(call.proxy) as proxied:
            return _reply(proxied.request(**_request(call)))


class Async(AsyncDriver):
    """`httpx2.AsyncClient`."""

    name = "httpx2-async"
    features = AsyncDriver.features | {"base_url", "digest"}
    refused = (httpx2.ConnectError,)
    timed_out = (httpx2.ReadTimeout,)

    @asynccontextmanager
    async def connect(
        self, world: World, destinations: Destinations, base_url: str | None
    ) -> AsyncGenerator[Any]:
        def client(proxy: str | None = None) -> httpx2.AsyncClient:
            return async_caller_client(destinations, **_options(world, base_url, proxy))

        async with client() as shared:
            yield shared, client

    async def call(self, client: Any, call: Call) -> Reply:
        shared, make = client
        if call.proxy is None:
            return _reply(await shared.request(**_request(call)))
        async with make(call.proxy) as proxied:
            return _reply(await proxied.request(**_request(call)))
