"""Builders for the tests of core: requests of both server interfaces, and a bound client."""

from collections.abc import Callable, Iterable

import pytest

from passthrough_auth.core import Request
from passthrough_auth.core.caller import Binding
from passthrough_auth.core.inbound import AsgiRequest, WsgiRequest

Lines = Iterable[tuple[str, str]]


def asgi(
    path: str = "/",
    headers: Lines = (),
    *,
    method: str = "GET",
    kind: str = "http",
    root_path: str = "",
) -> AsgiRequest:
    """A request from an ASGI scope with an entry for each header line."""
    lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "path": path, "root_path": root_path, "headers": lines}
    return AsgiRequest(scope if kind == "websocket" else {**scope, "method": method})


def wsgi(path: str = "/", headers: Lines = (), *, method: str = "GET") -> WsgiRequest:
    """A request from a WSGI environ. Repeated header lines are joined, as servers do."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path.encode("utf-8").decode("latin-1")}
    for name, value in headers:
        key = "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return WsgiRequest(environ)


Make = Callable[..., Request]

on_both_interfaces = pytest.mark.parametrize("make", [asgi, wsgi])


class BoundClient(Binding):
    """A client that only asks for the caller."""

    def install(self):
        pass
