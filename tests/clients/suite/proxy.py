"""A local forward proxy that records each request head, and of TLS only the CONNECT."""

import socket
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class RecordingProxy(socketserver.ThreadingTCPServer):
    """Listens on a free port of its own; `seen` holds the head of every request made to it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[str] = []
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Exchange(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.request.recv(65536)
            if not part:
                return
            head += part
        assert isinstance(self.server, RecordingProxy)
        self.server.seen.append(head.decode("latin-1"))
        method, target, _ = head.split(b" ", 2)
        where = urlsplit(f"//{target.decode()}" if method == b"CONNECT" else target.decode())
        with socket.create_connection((where.hostname, where.port or 80)) as upstream:
            if method == b"CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(head)
            back = threading.Thread(target=_pour, args=(upstream, self.request), daemon=True)
            back.start()
            _pour(self.request, upstream)
            back.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def recording_proxy() -> Generator[RecordingProxy]:
    """A proxy, running."""
    with RecordingProxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
