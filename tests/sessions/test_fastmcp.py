"""FastMCP's tools, called by its own client: two callers at once, in sessions of MCP."""

import asyncio

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

CALLERS = ("alice", "bob")
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@pytest.fixture
def url(serve):
    return serve("fastmcp_app:app") + "/mcp"


def client(url, name):
    return Client(StreamableHttpTransport(url, headers={"Authorization": f"Bearer {name}"}))


def test_each_message_is_of_the_caller_who_sent_it(url):
    async def ask(name):
        async with client(url, name) as mcp:
            return [
                (await mcp.call_tool(tool)).data
                for tool in ("whoami", "whoami_sync", "slow", "whoami")
            ]

    async def both():
        return await asyncio.gather(*map(ask, CALLERS))

    for name, answers in zip(CALLERS, asyncio.run(both()), strict=True):
        assert answers == [name, name, " ".join([name] * 4), name]


def test_what_a_message_left_behind_is_nobodys(url):
    async def leave():
        async with client(url, "alice") as mcp:
            assert (await mcp.call_tool("leave")).data == "alice"
            async with asyncio.timeout(30):
                while not (left := (await mcp.call_tool("left")).data):  # noqa: ASYNC110 - has no event
                    await asyncio.sleep(0.1)
            return left

    assert asyncio.run(leave()) == "ended"


def test_another_caller_in_a_session_that_they_didn_t_open_is_themselves(url):
    with httpx.Client(timeout=30) as http:

        def send(caller, method, session=None, number=1, **parameters):
            headers = {**HEADERS, "authorization": f"Bearer {caller}"}
            if session is not None:
                headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
            body = {"jsonrpc": "2.0", "method": method, "params": parameters}
            if number is not None:
                body["id"] = number
            return http.post(url, headers=headers, json=body)

        begun = send(
            "alice",
            "initialize",
            protocolVersion="2025-06-18",
            capabilities={},
            clientInfo={"name": "test", "version": "1"},
        )
        session = begun.headers["mcp-session-id"]
        send("alice", "notifications/initialized", session, None)
        for name in ("bob", "alice", "bob"):
            answer = send(name, "tools/call", session, 5, name="whoami", arguments={})
            assert f'"text":"{name}"' in answer.text
