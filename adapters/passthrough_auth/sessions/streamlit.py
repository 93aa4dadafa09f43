"""Streamlit: a page is a WebSocket, whose scripts and fragments run in threads of their own."""

from typing import final
from weakref import WeakKeyDictionary

from passthrough_auth.core.caller import HEADER, Host, Place

from ._finding import found_in

_context_of_thread = found_in("streamlit", "streamlit.runtime.scriptrunner:get_script_run_ctx")
# What `st.context.headers` reads, at a tenth of its time: that counts how often it is used.
_connection = found_in("streamlit", "streamlit.runtime.context:_get_client_context")
_handles: WeakKeyDictionary[object, Place] = WeakKeyDictionary()


@final
class _Streamlit(Host):
    by_header = True

    def locate(self) -> Place | None:
        if _context_of_thread(suppress_warning=True) is None:
            return None
        connection = _connection()
        if connection is None:
            return {}  # the page was closed
        place = _handles.get(connection)
        if place is None:
            place = {HEADER: dict(connection.headers).get(HEADER, "")}
            _handles[connection] = place
        return place


host = _Streamlit()
