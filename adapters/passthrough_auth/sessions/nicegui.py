"""NiceGUI: a page is a client, whose slots the running task has entered, whoever started it."""

from typing import final

from passthrough_auth.core.caller import Host, Place

from ._finding import found_in

_stacks = found_in("nicegui", "nicegui.slot:Slot.stacks")
_task_id = found_in("nicegui", "nicegui.slot:get_task_id")
for _name in ("has_socket_connection", "is_deleted"):
    found_in("nicegui", f"nicegui.client:Client.{_name}")


@final
class _NiceGui(Host):
    named_by_client = True  # an event names the page that it is for
    outlives_request = True

    def locate(self) -> Place | None:
        task = _task_id()
        stack = _stacks.get(task) if task else None  # outside of tasks, it is one for all
        if not stack:
            return None
        client = stack[-1].parent.client
        if client.is_deleted:
            return {}
        place: Place = (
            client.environ["asgi.scope"] if client.has_socket_connection else (client.request.scope)
        )
        return place


host = _NiceGui()
