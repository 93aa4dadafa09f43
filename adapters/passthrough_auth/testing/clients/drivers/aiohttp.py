"""How the suite uses aiohttp."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any

import aiohttp

from passthrough_auth.clients.aiohttp import caller_session
from passthrough_auth.core import Destinations
from passthrough_auth.testing.clients.drivers.base import AsyncDriver
from passthrough_auth.testing.clients.model import Call, Reply, World

_PATIENCE = 5.0  # seconds for connections to close; what is open then warns by itself


@asynccontextmanager
async def connector(world: World) -> AsyncGenerator[aiohttp.TCPConnector]:
    """What connects a session to these servers, held until its last connection is closed.

    A session's end doesn't wait for the two sides of a TLS connection to take leave of each other,
    and aiohttp's documentation advises a sleep. This waits for exactly that, and no longer.
    """
    sockets: list[socket.socket] = []

    def connecting(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol = address[:3]
        sockets.append(socket.socket(family, kind, protocol))
        return sockets[-1]

    trusted = ssl.create_default_context(cafile=world.ca_file)
    yield aiohttp.TCPConnector(ssl=trusted, socket_factory=connecting)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while any(each.fileno() != -1 for each in sockets):  # noqa: ASYNC110 - has no event
                await asyncio.sleep(0.005)


_digest: ContextVar[tuple[str, str] | None] = ContextVar("digest", default=None)


async def _answers_challenges(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Does so for the calls that ask for it. Middlewares are given to a session, not to a call."""
    digest = _digest.get()
    if digest is None:
        return await handler(request)
    return await aiohttp.DigestAuthMiddleware(*digest)(request, handler)


class Aiohttp(AsyncDriver):
    """`aiohttp.ClientSession`."""

    name = "aiohttp"
    features = AsyncDriver.features | {"base_url", "digest"}
    refused = (aiohttp.ClientConnectorError,)
    timed_out = (TimeoutError,)

    @asynccontextmanager
    async def connect(
        self, world: World, destinations: Destinations, base_url: str | None
    ) -> AsyncGenerator[aiohttp.ClientSession]:
        async with (
            connector(world) as connects,
            caller_session(
                destinations,
                base_url=base_url,
                connector=connects,
                middlewares=(_answers_challenges,),
            ) as session,
        ):
            yield session

    async def call(self, client: aiohttp.ClientSession, call: Call) -> Reply:
        _digest.set(call.digest)  # in the context of this call alone
        async with client.request(
            call.method,
            call.url,
            headers=dict(call.headers),
            data=call.body or None,
            timeout=aiohttp.ClientTimeout(total=call.timeout),
            proxy=call.proxy,
        ) as response:
            cookie = response.headers.get("set-cookie")
            return Reply.of(response.status, await response.read(), cookie)
