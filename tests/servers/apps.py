"""Two small apps that show how a server behaves: `asgi` and `wsgi`.

/ says ok, /stream sends three chunks with a pause before each, /steps sends them each when the file
in its query has those before it, /large sends 8 MB, /head sends a body whatever the method, and
every other path gets what the app was given, as JSON. A websocket is closed before it is accepted
at /reject, answered with a 401 at /deny, and echoes elsewhere.
"""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

# The seconds that the import takes, and whether it fails.
time.sleep(float(os.environ.get("APP_IMPORT_SECONDS", "0")))
if "APP_IMPORT_FAILS" in os.environ:
    raise RuntimeError("this app can't be imported")
if "APP_LOADED" in os.environ:
    Path(os.environ["APP_LOADED"]).touch()

CHUNKS = (b"one", b"two", b"three")
PAUSE = 0.1  # seconds
PATIENCE = 30.0  # seconds until a chunk is made though the one before it has not arrived
POLL = 0.005
PIECE = b"x" * 65536
PIECES = 128


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await asgi_http(scope, receive, send)
    elif scope["type"] == "websocket":
        await asgi_websocket(scope, receive, send)
    else:
        raise NotImplementedError(scope["type"])


async def asgi_http(scope: Any, receive: Any, send: Any) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"x-pid", b"%d" % os.getpid()), (b"content-type", b"text/plain")]
    parts: Any = (PIECE,) * PIECES
    if scope["path"] in {"/stream", "/steps"}:
        parts = CHUNKS
    elif scope["path"] != "/large":
        parts = [b"ok"] if scope["path"] in {"/", "/head"} else [told(scope, body)]
        headers.append((b"content-length", b"%d" % len(parts[0])))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    sent = b""
    for part in parts:
        if scope["path"] == "/stream":
            await asyncio.sleep(PAUSE)
        elif scope["path"] == "/steps":
            async with asyncio.timeout(PATIENCE):
                while not arrived(scope["query_string"].decode(), sent):  # noqa: ASYNC110 - a file
                    await asyncio.sleep(POLL)
            sent += part
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def arrived(file: str, sent: bytes) -> bool:
    """Whether the client has written into that file that all of this has arrived."""
    return not sent or (Path(file).exists() and Path(file).read_bytes().startswith(sent))


def told(scope: Any, body: bytes) -> bytes:
    raw = scope.get("raw_path")
    seen = {
        "method": scope.get("method"),
        "path": scope["path"],
        "raw": None if raw is None else raw.decode("latin-1"),
        "root": scope.get("root_path"),
        "query": scope["query_string"].decode("latin-1"),
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
        "body": len(body),
        "extensions": sorted(scope.get("extensions") or {}),
    }
    return json.dumps(seen).encode()


async def asgi_websocket(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    if scope["path"] == "/reject":
        await send({"type": "websocket.close", "code": 4401, "reason": "no"})
        return
    if scope["path"] == "/deny":
        headers = [(b"www-authenticate", b"Bearer"), (b"content-length", b"3")]
        kind = "websocket.http.response"
        await send({"type": f"{kind}.start", "status": 401, "headers": headers})
        await send({"type": f"{kind}.body", "body": b"no!"})
        return
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": told(scope, b"").decode()})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


def wsgi(environ: Any, start_response: Any) -> Any:
    path = environ["PATH_INFO"]
    headers = [("X-Pid", str(os.getpid())), ("Content-Type", "text/plain")]
    if path == "/stream":
        start_response("200 OK", headers)
        return wsgi_stream()
    if path == "/steps":
        start_response("200 OK", headers)
        return wsgi_steps(environ["QUERY_STRING"])
    if path == "/large":
        start_response("200 OK", headers)
        return (PIECE for _ in range(PIECES))
    answer = b"ok" if path in {"/", "/head"} else wsgi_told(environ)
    start_response("200 OK", [*headers, ("Content-Length", str(len(answer)))])
    return [answer]


def wsgi_stream() -> Any:
    for chunk in CHUNKS:
        time.sleep(PAUSE)
        yield chunk


def wsgi_steps(file: str) -> Any:
    sent = b""
    for chunk in CHUNKS:
        deadline = time.monotonic() + PATIENCE
        while not arrived(file, sent):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(POLL)
        sent += chunk
        yield chunk


def wsgi_told(environ: Any) -> bytes:
    seen = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "raw": environ.get("RAW_URI", environ.get("REQUEST_URI")),
        "root": environ["SCRIPT_NAME"],
        "query": environ["QUERY_STRING"],
        "headers": [[n, v] for n, v in environ.items() if n.startswith("HTTP_")],
        "body": len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))),
    }
    return json.dumps(seen).encode()
