"""Receives the events of Sentry's real SDK over loopback."""

import gzip
import json
import threading
from collections import deque
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """A server in place of Sentry's own. `dsn` is its address."""

    def __init__(self, port):
        self.dsn = f"http://public@127.0.0.1:{port}/1"
        self._received = deque()

    def add(self, envelope):
        self._received.extend(parsed(envelope))

    def all(self):
        """The text of all that was received since the last time."""
        texts = []
        while self._received:
            texts.append(self._received.popleft())
        return "\n".join(texts)


def parsed(envelope):
    """The items of an envelope. Each has its length in its header."""
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        header, _, rest = rest.partition(b"\n")
        described = json.loads(header)
        length = described.get("length", rest.find(b"\n"))
        yield rest[:length].decode()
        rest = rest[length:].lstrip(b"\n")


@contextmanager
def receiving():
    """A receiver that listens during the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            receiver.add(body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
