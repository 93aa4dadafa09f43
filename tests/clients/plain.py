"""The same libraries without passthrough-auth, as apps attach credentials to them by hand.

The table of redirects compares with them, and they show that the suite can fail.
"""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping

from tests.clients.suite.model import World


class Plain(ABC):
    """One way of attaching headers to calls of one library."""

    library: str
    way: str

    @abstractmethod
    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        """Call with a client made for this call, following redirects."""


class _Httpx(Plain):
    library, way = "httpx", "`headers=`"

    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        import httpx

        with httpx.Client(verify=_trusting(world), follow_redirects=True) as client:
            client.get(url, headers=headers)


class _HttpxHook(Plain):
    library, way = "httpx", "event hook"

    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        import httpx

        def attach(request: httpx.Request) -> None:
            request.headers.update(headers)

        hooks = {"request": [attach]}
        trusting = _trusting(world)
        with httpx.Client(verify=trusting, follow_redirects=True, event_hooks=hooks) as client:
            client.get(url)


class _Requests(Plain):
    library, way = "requests", "`headers=`"

    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        import requests

        with requests.Session() as session:
            session.trust_env = False
            session.get(url, headers=headers, verify=world.ca_file, timeout=20)


class _RequestsAdapter(Plain):
    library, way = "requests", "adapter"

    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        import requests
        from requests.adapters import HTTPAdapter

        class Attaching(HTTPAdapter):
            def add_headers(self, request: requests.PreparedRequest, **_kwargs: object) -> None:
                request.headers.update(headers)

        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", Attaching())
            session.mount("http://", Attaching())
            session.get(url, verify=world.ca_file, timeout=20)


class _Aiohttp(Plain):
    library, way = "aiohttp", "`headers=`"

    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        import aiohttp
        from tests.clients.aiohttp_connector import connector

        async def get() -> None:
            async with (
                connector(world) as connects,
                aiohttp.ClientSession(connector=connects) as session,
                session.get(url, headers=headers) as response,
            ):
                await response.read()

        asyncio.run(get())


class _AiohttpMiddleware(Plain):
    library, way = "aiohttp", "middleware"

    def get(self, world: World, url: str, headers: Mapping[str, str]) -> None:
        import aiohttp
        from tests.clients.aiohttp_connector import connector

        async def attach(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            request.headers.update(headers)
            return await handler(request)

        async def get() -> None:
            async with (
                connector(world) as connects,
                aiohttp.ClientSession(connector=connects, middlewares=(attach,)) as session,
                session.get(url) as response,
            ):
                await response.read()

        asyncio.run(get())


PLAIN: tuple[Plain, ...] = (
    _Httpx(),
    _HttpxHook(),
    _Requests(),
    _RequestsAdapter(),
    _Aiohttp(),
    _AiohttpMiddleware(),
)


def _trusting(world: World) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=world.ca_file)
