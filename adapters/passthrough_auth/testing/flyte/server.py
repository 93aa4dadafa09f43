"""The local endpoint's server: uvicorn in a thread, with TLS on a loopback socket."""

import asyncio
import tempfile
from pathlib import Path

from uvicorn.protocols.http.h11_impl import H11Protocol

from passthrough_auth.testing._local_server import LocalServer, bound_socket, write_certificate
from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.services import application


class _Connections:
    """The open connections by "address:port" of the client, so that one can be cut."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[asyncio.Transport, asyncio.Event]] = {}

    async def hang_up(self, client: str) -> None:
        """Close that client's connection at once, without a TLS goodbye, and wait for its end."""
        transport, closed = self._open[client]
        transport.abort()
        await closed.wait()

    def protocol(self) -> type[asyncio.Protocol]:
        """Return uvicorn's HTTP protocol, made to report its connections here."""
        connections = self._open

        class Reporting(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
                super().connection_made(transport)
                host, port = transport.get_extra_info("peername")[:2]
                self._key = f"{host}:{port}"
                connections[self._key] = (transport, asyncio.Event())

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                _, closed = connections.pop(self._key)
                closed.set()

        return Reporting


class Server:
    """Serves the endpoint over TLS from `start()` to `stop()`."""

    def __init__(self, backend: Backend) -> None:
        """Store the backend. `start` opens the socket."""
        self._backend = backend
        self.port = 0
        self.ca_file = ""

    def start(self) -> None:
        """Open a free port, make a certificate and its CA, and serve. Raises RuntimeError."""
        self._directory = tempfile.TemporaryDirectory(prefix="passthrough-auth-flyte-")
        self.ca_file, certificate = write_certificate(Path(self._directory.name))
        bound = bound_socket()
        self.port = bound.getsockname()[1]
        connections = _Connections()
        app = application(self._backend, connections.hang_up)
        self._server = LocalServer(app, [bound], certificate, http=connections.protocol())
        self._server.start()

    def stop(self) -> None:
        """Stop serving, close every connection, and remove the certificate."""
        self._server.stop()
        self._directory.cleanup()
