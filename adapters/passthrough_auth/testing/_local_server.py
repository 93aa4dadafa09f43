"""Serves an ASGI app from a thread of this process, on loopback sockets, with or without TLS."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import trustme
import uvicorn

LOOPBACK = "127.0.0.1"
_START_SECONDS = 60.0


def write_certificate(directory: Path) -> tuple[str, str]:
    """Make a temporary CA and a server certificate with its key.

    Returns the file of the CA, and the file with the certificate and the key.
    """
    ca_file, server_file = str(directory / "ca.pem"), str(directory / "server.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    issued = authority.issue_cert(LOOPBACK, "localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(server_file)
    return ca_file, server_file


def bound_socket() -> socket.socket:
    """A socket that is bound to a free port, and doesn't listen yet."""
    # Named IPPROTO_TCP, because asyncio sets TCP_NODELAY only on sockets that say they are TCP.
    # Without it, each call of the Flyte SDK takes 44 ms.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind((LOOPBACK, 0))
    return bound


class LocalServer:
    """Serves an app on these sockets from `start` to `stop`, with these options of uvicorn."""

    def __init__(
        self, app: Any, sockets: list[socket.socket], certificate: str | None, **options: Any
    ) -> None:
        config = uvicorn.Config(
            app,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            # The fault "hung up" finds connections by address; X-Forwarded-For must not change it.
            proxy_headers=False,
            timeout_graceful_shutdown=1,  # after which unfinished responses are cancelled
            ssl_certfile=certificate,
            ssl_keyfile=certificate,
            **options,
        )
        self._sockets = sockets
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": sockets}, daemon=True
        )

    def start(self) -> None:
        """Start, and return when it serves. Raises `RuntimeError` if it doesn't start."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the local server did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop serving and close every connection."""
        self._server.should_exit = True
        self._thread.join()
        for each in self._sockets:
            each.close()
