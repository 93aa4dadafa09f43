"""What Sentry's real SDK sends, received over loopback."""

import gzip
import json
import queue
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Stands where Sentry's own server would: `dsn` is how to reach it."""

    def __init__(self, port):
        self.dsn = f"http://public@127.0.0.1:{port}/1"
        self._received = queue.Queue()

    def add(self, envelope):
        for item in parsed(envelope):
            self._received.put(item)

    def all(self):
        """The text of all that was received, from an event on until nothing has come for a while.

        `queue.Empty` if no event arrives.
        """
        texts, pause, events = [], 15, 0
        while True:
            try:
                kind, text = self._received.get(timeout=pause)
            except queue.Empty:
                if events:
                    return "\n".join(texts)
                raise
            texts.append(text)
            events += kind == "event"
            pause = 0.2 if events else 15


def parsed(envelope):
    """The items of an envelope: (type, payload) pairs. Each has its length in its header."""
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        header, _, rest = rest.partition(b"\n")
        described = json.loads(header)
        length = described.get("length", rest.find(b"\n"))
        yield described["type"], rest[:length].decode()
        rest = rest[length:].lstrip(b"\n")


@contextmanager
def receiving():
    """A receiver that listens until the block is left."""

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
