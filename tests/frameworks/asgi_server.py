"""Calls apps through the raw interfaces, for the tests of the adapters."""

import asyncio
import io

from passthrough_auth.core import NoCaller, current_credentials

ALICE = ("authorization", "Bearer alice")
BOB = ("authorization", "Bearer bob")


def caller():
    """The caller's Authorization header here, or the reason why there is no caller."""
    try:
        return current_credentials().headers().get("authorization", "someone")
    except NoCaller as absent:
        return absent.reason


def http_scope(path="/", *headers, method="GET", **more):
    lines = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": lines,
        "server": ("app.example", 80),
        "client": ("127.0.0.1", 1),
        **more,
    }


def websocket_scope(path="/", *headers, **more):
    scope = http_scope(path, *headers, **more)
    del scope["method"]
    return {**scope, "type": "websocket", "scheme": "ws", "subprotocols": []}


class Exchange:
    """One ASGI request: the messages that the app receives, and those that it sends."""

    def __init__(self, scope, *given):
        self.scope = scope
        first = {"type": f"{scope['type']}.connect"}
        if scope["type"] == "http":
            first = {"type": "http.request", "body": b"", "more_body": False}
        self._given = [*(given or [first])]
        self.sent = []

    async def receive(self):
        if self._given:
            return self._given.pop(0)
        return await asyncio.Future()  # as a server does until the client goes away

    async def send(self, message):
        self.sent.append(message)

    async def run(self, app):
        async with asyncio.timeout(20):
            await app(self.scope, self.receive, self.send)
        return self.sent


def ask(app, scope, *given):
    """The messages that an ASGI app sends in response."""
    return asyncio.run(Exchange(scope, *given).run(app))


def body_of(sent):
    return b"".join(message.get("body", b"") for message in sent)


class Answer:
    """The response of a WSGI app, with a body that is not read yet."""

    def __init__(self, app, environ):
        self.body = app(environ, self._start)

    def _start(self, status, headers, exc_info=None):
        self.status = int(status.partition(" ")[0])
        self.headers = {name.lower(): value for name, value in headers}
        return lambda data: None

    def read(self):
        """Read the whole body, and close it as a server must."""
        try:
            return b"".join(self.body)
        finally:
            getattr(self.body, "close", lambda: None)()


def environ_of(path="/", *headers, method="GET", **more):
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "app.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
        **more,
    }
