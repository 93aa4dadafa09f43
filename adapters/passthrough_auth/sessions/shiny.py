"""Shiny: a page is a WebSocket, and an output or effect knows the page that it belongs to."""

from typing import final

from passthrough_auth.core.caller import Host, Place

from ._finding import found_in

_session = found_in("shiny", "shiny.session:get_current_session")


@final
class _Shiny(Host):
    def locate(self) -> Place | None:
        session = _session()
        if session is None:
            return None
        connection = getattr(session.root_scope(), "http_conn", None)
        # Without one it is a stub, which stands for no page while an app is being built.
        return {} if connection is None else connection.scope


host = _Shiny()
