"""python-socketio: its handlers don't know their socket, so they ask with `caller_of`."""

from typing import final

from passthrough_auth.core.caller import Host


@final
class _SocketIo(Host):
    outlives_request = True  # over polling

    def locate(self) -> None:
        return None


host = _SocketIo()
