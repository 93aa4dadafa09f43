"""All columns in a single app, which a real server can serve.

The environment variable PASSTHROUGH_AUTH_COLUMNS lists them as `module:attribute`, separated by
commas. The header `x-conformance: <column>;<options>` selects the app for a request; the request
is otherwise passed on unchanged.

A wrongly configured app doesn't start. Then the answer is the text of its error, with the header
`x-conformance-raised`, unless the framework has already answered.
"""

import os
from collections.abc import Iterable
from functools import cache
from typing import Any

from passthrough_auth.core import ConfigurationError

from .column import Column, named
from .handlers import listen
from .model import Interface, error_line
from .options import WRONG

HEADER = "x-conformance"
RAISED = "x-conformance-raised"
COLUMNS = "PASSTHROUGH_AUTH_COLUMNS"


@cache
def columns(interface: Interface) -> dict[str, Column]:
    """The columns of this process, by name. The first call starts recording the library's log."""
    found = {column.name: column for column in named(os.environ[COLUMNS].split(","), interface)}
    listen()
    return found


def _chosen(interface: Interface, choice: str) -> Any:
    name, _, variant = choice.partition(";")
    return columns(interface)[name].app(variant)


def _is_wrong(choice: str) -> bool:
    return choice.partition(";")[2] in WRONG


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI columns."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    choice = dict(scope["headers"])[HEADER.encode()].decode("latin-1")
    if _is_wrong(choice):
        await _asgi_start(choice, scope, receive, send)
    else:
        await _chosen("asgi", choice)(scope, receive, send)


async def _asgi_start(choice: str, scope: Any, receive: Any, send: Any) -> None:
    answered = False

    async def noted(message: Any) -> None:
        nonlocal answered
        answered = True
        await send(message)

    try:
        await _chosen("asgi", choice)(scope, receive, noted)
    except ConfigurationError as error:
        if answered:  # Starlette answers before it raises an error to the server
            raise
        headers = [(RAISED.encode(), b"1")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": error_line(error).encode()})


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    """The WSGI columns."""
    choice = environ["HTTP_X_CONFORMANCE"]
    try:
        app = _chosen("wsgi", choice)
    except ConfigurationError as error:
        text = error_line(error).encode()
        headers = [(RAISED, "1"), ("Content-Length", str(len(text)))]
        start_response("500 Internal Server Error", headers)
        return [text]
    body: Iterable[bytes] = app(environ, start_response)
    return body
