"""Requests as the two server interfaces hand them over, for the tests of core."""

from collections.abc import Callable, Iterable

import pytest

from passthrough_auth.core import AsgiRequest, Request, WsgiRequest

Lines = Iterable[tuple[str, str]]


def asgi(
    path: str = "/",
    headers: Lines = (),
    *,
    method: str = "GET",
    kind: str = "http",
    root_path: str = "",
) -> AsgiRequest:
    """A request off an ASGI scope, one entry for each header line."""
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "path": path, "root_path": root_path, "headers": lines}
    return AsgiRequest(scope if kind == "websocket" else {**scope, "method": method})


def wsgi(path: str = "/", headers: Lines = (), *, method: str = "GET") -> WsgiRequest:
    """A request off a WSGI environ, repeated lines joined as servers do."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path.encode("utf-8").decode("latin-1")}
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return WsgiRequest(environ)


Make = Callable[..., Request]

on_both_interfaces = pytest.mark.parametrize("make", [asgi, wsgi])
