"""Sessions of MCP, which shake hands first, over a shared caller's client."""

import asyncio
import threading
import time

import pytest
import uvicorn
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

from passthrough_auth.clients.httpx2 import async_caller_client
from passthrough_auth.core import Destinations, NoCaller, acting_as
from passthrough_auth.testing._local_server import bound_socket

tools = MCPServer("tools")


@tools.tool()
async def whoami(context: Context) -> str:
    return context.request_context.request.headers.get("authorization", "nobody")


@pytest.fixture(scope="module")
def origin():
    listener = bound_socket()
    config = uvicorn.Config(tools.streamable_http_app(), ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    yield "http://{}:{}".format(*listener.getsockname())
    server.should_exit = True
    thread.join()
    listener.close()


async def ask(client, origin):
    async with (
        streamable_http_client(f"{origin}/mcp", http_client=client) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        answer = await session.call_tool("whoami", {})
        return answer.content[0].text


def test_each_session_is_of_the_caller_who_opened_it(origin):
    async def ask_as(client, name):
        with acting_as(("authorization", f"Bearer {name}"), bindings=()):
            return await ask(client, origin)

    async def both():
        async with async_caller_client(Destinations(origin)) as client:
            return await asyncio.gather(ask_as(client, "alice"), ask_as(client, "bob"))

    assert asyncio.run(both()) == ["Bearer alice", "Bearer bob"]


def test_a_session_that_nobody_opens_is_not_opened(origin):
    """In the lifespan, where there is no caller. The SDK raises it in a group."""

    async def at_start():
        async with async_caller_client(Destinations(origin)) as client:
            await ask(client, origin)

    with pytest.raises(BaseExceptionGroup) as raised:
        asyncio.run(at_start())
    assert raised.group_contains(NoCaller, match="No request is being served")
