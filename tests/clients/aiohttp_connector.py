"""How aiohttp connects to the servers of the suite, and closes its connections for good."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import aiohttp

_PATIENCE = 5.0  # seconds for connections to close; one that is open then gives a warning itself


@asynccontextmanager
async def connector(world):
    """Connects a session to these servers, and is left when its last connection is closed.

    A session ends before the two sides of a TLS connection have said goodbye, and aiohttp's
    documentation advises a sleep. This waits for just that, and no longer.
    """
    sockets = []

    def connecting(address):
        family, kind, protocol = address[:3]
        sockets.append(socket.socket(family, kind, protocol))
        return sockets[-1]

    trusted = ssl.create_default_context(cafile=world.ca_file)
    yield aiohttp.TCPConnector(ssl=trusted, socket_factory=connecting)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while any(each.fileno() != -1 for each in sockets):  # noqa: ASYNC110 - has no event
                await asyncio.sleep(0.005)
