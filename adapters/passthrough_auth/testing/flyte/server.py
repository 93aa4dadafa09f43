"""The local endpoint's server: uvicorn with TLS on a loopback socket, in a thread."""

import asyncio
import socket
import tempfile
import threading
import time
from pathlib import Path

import trustme
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.services import application

HOST = "127.0.0.1"
_START_SECONDS = 30.0
# How long a stopping server waits for answers under way, then cancels them.
_GRACE_SECONDS = 1


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
    """Serves a backend over TLS from `start()` to `stop()`."""

    def __init__(self, backend: Backend) -> None:
        """Set up; nothing is opened yet."""
        self._backend = backend
        self.port = 0
        self.ca_file = ""

    def start(self) -> None:
        """Open a free port, make a certificate and its CA, and serve. Raises RuntimeError."""
        self._directory = tempfile.TemporaryDirectory(prefix="passthrough-auth-flyte-")
        # Named IPPROTO_TCP, because asyncio sets TCP_NODELAY only on sockets that say they are
        # TCP; without it each call takes 44 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind((HOST, 0))
        self.port = self._socket.getsockname()[1]
        certificate = self._certificate(Path(self._directory.name))
        connections = _Connections()
        config = uvicorn.Config(
            application(self._backend, connections.hang_up),
            http=connections.protocol(),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            # A client's X-Forwarded-For must not change whose connection this is.
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=certificate,
            ssl_keyfile=certificate,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="flyte-endpoint",
            daemon=True,
        )
        self._thread.start()
        self._await_start()

    def stop(self) -> None:
        """Stop serving, close every connection, and remove the certificate."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self._directory.cleanup()

    def _certificate(self, directory: Path) -> str:
        """Write a throw-away CA, and a certificate by it with its key; return the latter's file."""
        authority = trustme.CA()
        ca_file = directory / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        self.ca_file = str(ca_file)
        server_file = str(directory / "server.pem")
        certificate = authority.issue_cert(HOST, "localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(server_file)
        return server_file

    def _await_start(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the Flyte endpoint did not start")
            time.sleep(0.005)
