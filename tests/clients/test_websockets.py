"""WebSockets as the caller: with aiohttp, and with the recipe of docs/clients.md for websockets."""

import asyncio
import re
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus

from passthrough_auth.clients.aiohttp import caller_session
from passthrough_auth.core import Destinations, acting_as

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
CALLER = {"authorization": "Bearer alice", "x-sso": "secret", "cookie": "session=alice"}


class Servers:
    """A named server that redirects to a stranger, and what arrived at either."""

    def __init__(self):
        self.arrived = []

    @asynccontextmanager
    async def running(self):
        async def noting(socket):
            headers = socket.request.headers
            carried = {name: headers[name] for name in CALLER if name in headers}
            self.arrived.append((socket.local_address[1], carried))
            await socket.send("hello")

        async with serve(noting, "127.0.0.1", 0) as stranger:
            self.stranger = stranger.sockets[0].getsockname()[1]

            def redirecting(connection, request):
                if request.path != "/moved":
                    return None
                response = connection.respond(302, "")
                response.headers["Location"] = f"ws://127.0.0.1:{self.stranger}/"
                return response

            async with serve(noting, "127.0.0.1", 0, process_request=redirecting) as named:
                self.named = named.sockets[0].getsockname()[1]
                yield f"ws://127.0.0.1:{self.named}"


def destinations_for(root):
    return Destinations(root.replace("ws:", "http:"))


async def with_aiohttp(root, path):
    async with (
        caller_session(destinations_for(root)) as session,
        session.ws_connect(root + path) as socket,
    ):
        return await socket.receive_str()


async def with_websockets(root, path):
    (source,) = re.findall(r"```python\n(from websockets.*?)```", PAGE, re.DOTALL)
    made = {}
    exec(source.replace("https://api.example.com", root.replace("ws:", "http:")), made)  # noqa: S102 - the page's own
    async with made["events"](root + path) as socket:
        return await socket.recv()


async def by_hand(root, path):
    """Without the recipe."""
    url = root + path
    async with connect(url, additional_headers=destinations_for(root).headers_for(url)) as socket:
        return await socket.recv()


def opened(open_one, path):
    """Where it arrived, and with what, as the caller."""
    servers = Servers()

    async def work():
        async with servers.running() as root:
            try:
                with acting_as(*CALLER.items(), bindings=()):
                    await open_one(root, path)
            except (InvalidStatus, aiohttp.ClientError):
                pass

    asyncio.run(work())
    return servers, servers.arrived


@pytest.mark.parametrize("open_one", [with_aiohttp, with_websockets])
def test_it_is_opened_as_the_caller(open_one):
    servers, arrived = opened(open_one, "/")
    assert arrived == [(servers.named, CALLER)]


@pytest.mark.parametrize("open_one", [with_aiohttp, with_websockets])
def test_a_redirect_takes_nothing_along(open_one):
    servers, arrived = opened(open_one, "/moved")
    assert arrived in ([], [(servers.stranger, {})])


def test_without_the_recipe_websockets_takes_the_caller_s_headers_to_a_stranger():
    """What the page says of it."""
    servers, ((port, carried),) = opened(by_hand, "/moved")
    assert port == servers.stranger
    assert carried["x-sso"] == "secret"
