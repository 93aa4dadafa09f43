"""Gradio: each event is a POST of its own, whose handler runs in a queue of the process."""

from typing import final

from passthrough_auth.core.caller import Host, Place

from ._finding import found_in

_request = found_in("gradio", "gradio.context:LocalContext.request")
_event_id = found_in("gradio", "gradio.context:LocalContext.event_id")
_blocks = found_in("gradio", "gradio.context:LocalContext.blocks")
# Handlers of events that aren't queued run in their POST, which has one of these in its path.
_UNQUEUED = ("/run/", "/api/")


@final
class _Gradio(Host):
    outlives_request = True

    def locate(self) -> Place | None:
        request = _request.get(None)
        if request is None:
            return None
        if isinstance(request, list):
            return {}  # one call for the events of several visitors
        scope: Place = request.request.scope
        event = _event_id.get(None)
        if event is None:
            return scope if any(part in scope["path"] for part in _UNQUEUED) else {}
        # Gradio forgets an event when it is over. A task that it left behind is nobody's.
        running = _blocks.get()._queue.event_ids_to_events  # noqa: SLF001 - it has no other list
        return scope if event in running else {}


host = _Gradio()
