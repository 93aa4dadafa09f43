"""Chainlit: a chat is a socket of socket.io, which may begin by polling and may be taken over."""

from typing import final

from passthrough_auth.core.caller import Host, Place

from ._finding import found_in

_context = found_in("chainlit", "chainlit.context:context_var")


@final
class _Chainlit(Host):
    named_by_client = True  # a socket names the chat that it goes on with
    outlives_request = True

    def locate(self) -> Place | None:
        chat = _context.get(None)
        environ = getattr(chat and chat.session, "environ", None)
        # Without one it is an endpoint of the app's own, which runs in its request.
        return None if environ is None else environ.get("asgi.scope", {})


host = _Chainlit()
