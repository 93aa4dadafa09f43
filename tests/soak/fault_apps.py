"""The smallest apps that show the fault of a server or framework, without this library."""

import asyncio
import gc
from pathlib import Path

from flask import Flask, request

PATIENCE = 30.0  # seconds


async def asgi(scope, receive, send):
    """Tell how many objects of the type in the query there are; at /crash, raise halfway."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    wanted = scope["query_string"].decode()
    gc.collect()
    found = sum(type(each).__name__ == wanted for each in gc.get_objects())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % found, "more_body": True})
    if scope["path"] == "/crash":
        raise RuntimeError("halfway")
    await send({"type": "http.response.body"})


flask = Flask(__name__)


@flask.get("/")
async def view():
    """Go on as soon as the file in the query is there."""
    awaited = Path(request.args["until"])
    async with asyncio.timeout(PATIENCE):
        while not awaited.exists():  # noqa: ASYNC110, ASYNC240 - a file has no event
            await asyncio.sleep(0.01)
    return "ok"
