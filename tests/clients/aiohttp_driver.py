"""How the suite uses aiohttp."""

from contextlib import asynccontextmanager
from contextvars import ContextVar

import aiohttp
from tests.clients.aiohttp_connector import connector
from tests.clients.suite import AsyncDriver, Reply

from passthrough_auth.clients.aiohttp import caller_session

_digest = ContextVar("digest", default=None)


async def _answers_challenges(request, handler):
    """Middlewares are given to a session. This one acts on the calls that ask for it."""
    digest = _digest.get()
    if digest is None:
        return await handler(request)
    return await aiohttp.DigestAuthMiddleware(*digest)(request, handler)


class Aiohttp(AsyncDriver):
    name = "aiohttp"
    features = AsyncDriver.features | {"base_url", "digest", "environment_proxies"}
    refused = (aiohttp.ClientConnectorError,)
    timed_out = (TimeoutError,)

    @asynccontextmanager
    async def connect(self, world, destinations, base_url, **options):
        options |= {"base_url": base_url, "middlewares": (_answers_challenges,)}
        async with (
            connector(world) as connects,
            caller_session(destinations, connector=connects, **options) as session,
        ):
            yield session

    async def call(self, client, call):
        _digest.set(call.digest)  # in the context of this call alone
        async with client.request(
            call.method,
            call.url,
            headers=dict(call.headers),
            data=call.body or None,
            timeout=aiohttp.ClientTimeout(total=call.timeout),
            proxy=call.proxy,
        ) as response:
            if call.raises:
                response.raise_for_status()
            return Reply.of(response.status, await response.read(), response.headers)
