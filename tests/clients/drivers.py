"""One driver for each client library. Importing this imports none of the libraries."""

from importlib import import_module

from passthrough_auth.optional_import import optional_import

_GRPC = ("unary-unary", "unary-stream", "stream-unary", "stream-stream")

# name -> its class, in tests.clients
_CLASSES = {
    "httpx": "httpx_driver:Sync",
    "httpx-async": "httpx_driver:Async",
    "httpx2": "httpx_driver:Sync",
    "httpx2-async": "httpx_driver:Async",
    "requests": "requests_driver:Requests",
    "aiohttp": "aiohttp_driver:Aiohttp",
    **{f"grpc-{kind}": "grpc_driver:Sync" for kind in _GRPC},
    **{f"grpc-aio-{kind}": "grpc_driver:Aio" for kind in _GRPC},
}
DRIVERS = tuple(_CLASSES)


def driver(name):
    """The driver of that name. Raises `ModuleNotFoundError` naming the extra."""
    library = name.partition("-")[0]
    with optional_import(library):
        import_module(library)
    module, _, kind = _CLASSES[name].partition(":")
    made = getattr(import_module(f"tests.clients.{module}"), kind)
    # One class drives several of these clients, and is told which.
    return made() if hasattr(made, "name") else made(name)
