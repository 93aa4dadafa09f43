"""The smallest apps that show what is wrong with a server or framework, without this library."""

import asyncio
import gc

from flask import Flask


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
    await asyncio.sleep(0.5)
    return "ok"
