"""How the suite uses aiohttp."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from passthrough_auth.clients.aiohttp import caller_session
from passthrough_auth.core import Destinations
from passthrough_auth.testing.clients.drivers.base import AsyncDriver
from passthrough_auth.testing.clients.model import Call, Reply, World


class Aiohttp(AsyncDriver):
    """`aiohttp.ClientSession`."""

    name = "aiohttp"
    features = AsyncDriver.features | {"base_url"}
    refused = (aiohttp.ClientConnectorError,)
    timed_out = (TimeoutError,)

    @asynccontextmanager
    async def connect(
        self, world: World, destinations: Destinations, base_url: str | None
    ) -> AsyncGenerator[aiohttp.ClientSession]:
        trusted = ssl.create_default_context(cafile=world.ca_file)
        connector = aiohttp.TCPConnector(ssl=trusted)
        async with caller_session(destinations, base_url=base_url, connector=connector) as session:
            yield session
        # A connection that a cancelled call has given up is closed by the loop's next rounds.
        await asyncio.sleep(0.1)

    async def call(self, client: aiohttp.ClientSession, call: Call) -> Reply:
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
