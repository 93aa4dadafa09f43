"""Apps of real UI frameworks, each in a process of its own, and the service that they call."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

APPS = Path(__file__).parent / "apps"
PATIENCE = 90.0  # seconds for a framework to be imported and to serve


class _Echo(BaseHTTPRequestHandler):
    """Answers with the name in the credential that it is called with."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/expired/reports":
            self.answer(401, "the-body-of-a-401")
            return
        cookie = SimpleCookie(self.headers.get("cookie", ""))
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        name = (cookie["sso"].value if "sso" in cookie else token) or "anonymous"
        self.answer(200, name)

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def echo() -> Iterator[str]:
    """The origin of a service that answers with the name of its caller."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def command_for(app: str, port: int) -> list[str]:
    if app.endswith(".py"):  # it has a server of its own
        return [sys.executable, app]
    uvicorn = [sys.executable, "-m", "uvicorn", app, f"--port={port}", "--log-level=warning"]
    return [*uvicorn, "--timeout-graceful-shutdown=1"]


def environment_for(upstream: str, variables: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "UPSTREAM": upstream, "PYTHONUNBUFFERED": "1", **variables}


@contextmanager
def served(
    app: str, upstream: str, log: Path, folder: Path = APPS, **variables: str
) -> Iterator[str]:
    """The origin of this app, served by uvicorn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = command_for(app, port)
    environment = environment_for(upstream, {**variables, "PORT": str(port)})
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # some frameworks wait for their pages
                process.kill()
                process.wait()
