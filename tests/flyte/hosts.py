"""A host on this machine that records requests, and gives configured answers."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

CREDENTIALS = ("authorization", "cookie", "x-flyte-token")


class Host:
    """A host with TLS and plain http on one port, named 127.0.0.1 and localhost.

    `requests` has the scheme, the path and the credentials of each request. It answers with
    `status`, `location` and `body`, in the form of the Connect protocol.
    """

    def __init__(self, authority: trustme.CA, directory: Path) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.status = 200
        self.location = ""
        self.body = b""
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        file = directory / "host.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(str(file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self._server = _Server(context, _handler(self))
        self.port: int = self._server.server_address[1]

    @contextmanager
    def serving(self) -> Iterator["Host"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def url(self, scheme: str = "https", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}"

    def redirect(self, location: str, status: int = 307) -> None:
        self.status, self.location = status, location

    @property
    def paths(self) -> Sequence[str]:
        return [path.rpartition("/")[2] for _, path, _ in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Run the handshake in the connection's own thread, so that it delays no other."""
        begins_tls = request.recv(1, socket.MSG_PEEK) == b"\x16"
        connection = self._context.wrap_socket(request, server_side=True) if begins_tls else request
        with connection:
            super().finish_request(connection, client_address)

    def shutdown_request(self, request: Any) -> None:
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: they come from clients that hang up."""


def _handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            self._read_body()
            scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
            sent = {name: self.headers[name] for name in CREDENTIALS if name in self.headers}
            host.requests.append((scheme, self.path, sent))
            self.send_response(host.status)
            if host.location:
                self.send_header("location", host.location)
            self.send_header("content-type", "application/proto")
            self.send_header("content-length", str(len(host.body)))
            self.end_headers()
            self.wfile.write(host.body)

        def do_GET(self) -> None:
            """Answer a GET, which a client may send after a redirected POST."""
            self.do_POST()

        def log_message(self, *args: object) -> None:
            pass

        def _read_body(self) -> None:
            if self.headers.get("transfer-encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    self.rfile.read(size + 2)  # each chunk ends in a CRLF
                self.rfile.readline()
            self.rfile.read(int(self.headers.get("content-length") or 0))

    return Handler
