"""Streamlit: a page is a WebSocket, whose scripts and fragments run in threads of their own."""

from typing import final

from passthrough_auth.core.caller import Host, Place

from ._finding import found_in

_context_of_thread = found_in("streamlit", "streamlit.runtime.scriptrunner:get_script_run_ctx")
_page = found_in("streamlit", "streamlit:context")


@final
class _Streamlit(Host):
    by_header = True

    def locate(self) -> Place | None:
        if _context_of_thread(suppress_warning=True) is None:
            return None
        headers: Place = _page.headers
        return headers


host = _Streamlit()
