"""FastMCP: a message is a POST of its own, whose handler may run in the task of the first one."""

from typing import final

from passthrough_auth.core.caller import Host, Place

from ._finding import found_in

_request = found_in("fastmcp", "fastmcp.server.dependencies:get_http_request")


@final
class _FastMcp(Host):
    def locate(self) -> Place | None:
        try:
            scope: Place = _request().scope
        except RuntimeError:
            return None  # no message, or not over HTTP
        return scope


host = _FastMcp()
