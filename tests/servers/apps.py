"""The smallest apps that show what a server does."""

import os
import time
from typing import Any

# How long to take over being imported, in seconds, and whether to fail at it.
time.sleep(float(os.environ.get("APP_IMPORT_SECONDS", "0")))
if "APP_IMPORT_FAILS" in os.environ:
    raise RuntimeError("this app can't be imported")


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        headers = [(b"content-length", b"2"), (b"x-pid", b"%d" % os.getpid())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})
    else:
        raise NotImplementedError(scope["type"])


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2"), ("X-Pid", str(os.getpid()))])
    return [b"ok"]
