"""FastMCP over streamable HTTP, with sessions that clients name."""

import asyncio

from fastmcp import FastMCP
from starlette.middleware import Middleware
from who import OPTIONS, who

from passthrough_auth.frameworks.asgi import PassthroughAuthMiddleware

mcp = FastMCP("tools")
left_behind: list[str] = []
tasks = set()


@mcp.tool
async def whoami() -> str:
    return who()


@mcp.tool
def whoami_sync() -> str:
    return who()


@mcp.tool
async def slow() -> str:
    seen = [who()]
    for _ in range(3):
        await asyncio.sleep(0.1)
        seen.append(who())
    return " ".join(seen)


@mcp.tool
async def leave() -> str:
    async def later() -> None:
        await asyncio.sleep(0.3)
        left_behind.append(who())

    tasks.add(asyncio.create_task(later()))
    return who()


@mcp.tool
async def left() -> str:
    return " ".join(left_behind)


app = mcp.http_app(middleware=[Middleware(PassthroughAuthMiddleware, **OPTIONS)])
