"""One driver for each client library. Importing this package imports none of them."""

from importlib import import_module
from typing import cast

from passthrough_auth.core import requires_extra
from passthrough_auth.testing.clients.model import Driver

DRIVERS = {
    "httpx": "httpx:Sync",
    "httpx-async": "httpx:Async",
    "httpx2": "httpx2:Sync",
    "httpx2-async": "httpx2:Async",
    "requests": "requests:Requests",
    "aiohttp": "aiohttp:Aiohttp",
    "grpc-unary-unary": "grpc:UnaryUnary",
    "grpc-unary-stream": "grpc:UnaryStream",
    "grpc-stream-unary": "grpc:StreamUnary",
    "grpc-stream-stream": "grpc:StreamStream",
    "grpc-aio-unary-unary": "grpc:AioUnaryUnary",
    "grpc-aio-unary-stream": "grpc:AioUnaryStream",
    "grpc-aio-stream-unary": "grpc:AioStreamUnary",
    "grpc-aio-stream-stream": "grpc:AioStreamStream",
}


def driver(name: str) -> Driver:
    """The driver of that name. Raises `KeyError`, or `ModuleNotFoundError` naming the extra."""
    module, _, attribute = DRIVERS[name].partition(":")
    with requires_extra(module):
        imported = import_module(f"{__name__}.{module}")
    return cast("Driver", getattr(imported, attribute)())
