"""Every column of one interface as a single app, for a real server to serve.

The header `x-conformance: <column>;<options>` says which of them a request is for; nothing else of
the request is touched. More columns can be added by naming them, as `module:attribute` with commas
between, in the environment variable PASSTHROUGH_AUTH_COLUMNS.

An app that is wrongly configured doesn't start. Here that is answered with what it raised, and with
the header `x-conformance-raised`, unless the framework has answered already.
"""

import os
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from passthrough_auth.core import ConfigurationError, requires_extra

from .column import Column, with_prefixes
from .model import told
from .options import WRONG

HEADER = "x-conformance"
RAISED = "x-conformance-raised"
MORE_COLUMNS = "PASSTHROUGH_AUTH_COLUMNS"


def shipped(interface: Literal["asgi", "wsgi"]) -> list[Column]:
    """The columns that ship, each also below a prefix."""
    # Here and not above: a server of the one interface needs no framework of the other.
    with requires_extra("django"):
        from .columns import django

    if interface == "asgi":
        with requires_extra("fastapi", module="starlette"):
            from .columns import starlette
        with requires_extra("fastapi"):
            from .columns import fastapi

        columns = [starlette.COLUMN, fastapi.COLUMN, *django.COLUMNS]
    else:
        with requires_extra("fastapi", module="starlette"), requires_extra("flask"):
            from .columns import flask

        columns = [*flask.COLUMNS, *django.COLUMNS]
    return with_prefixes([column for column in columns if column.interface == interface])


@cache
def _columns(interface: Literal["asgi", "wsgi"]) -> dict[str, Column]:
    more = [name for name in os.environ.get(MORE_COLUMNS, "").split(",") if name]
    columns = shipped(interface) + with_prefixes([pkgutil.resolve_name(name) for name in more])
    return {column.name: column for column in columns}


def _chosen(interface: Literal["asgi", "wsgi"], choice: str) -> Any:
    name, _, variant = choice.partition(";")
    return _columns(interface)[name].app(variant)


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
        if answered:  # as Starlette does before it lets an error go on
            raise
        headers = [(RAISED.encode(), b"1")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        await send({"type": "http.response.body", "body": told(error).encode()})


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
        text = told(error).encode()
        headers = [(RAISED, "1"), ("Content-Length", str(len(text)))]
        start_response("500 Internal Server Error", headers)
        return [text]
    body: Iterable[bytes] = app(environ, start_response)
    return body
