"""Apps of real UI frameworks, each in a process of its own, and the service that they call."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.browser.chromium import CHROMIUM

APPS = Path(__file__).parent / "apps"
_HOW = "there is no Chromium: apt-get install chromium"
_PATIENCE = 90.0  # seconds for a framework to be imported and to serve


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


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """The origin of a service that answers with the name of its caller."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _command(app: str, port: int) -> list[str]:
    if app.endswith(".py"):  # it has a server of its own
        return [sys.executable, app]
    uvicorn = [sys.executable, "-m", "uvicorn", app, f"--port={port}", "--log-level=warning"]
    return [*uvicorn, "--timeout-graceful-shutdown=1"]


def _environment(upstream: str, variables: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "UPSTREAM": upstream, "PYTHONUNBUFFERED": "1", **variables}


@contextmanager
def _served(
    app: str, upstream: str, log: Path, folder: Path = APPS, **variables: str
) -> Iterator[str]:
    """The origin of this app, served by uvicorn."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = _command(app, port)
    environment = _environment(upstream, {**variables, "PORT": str(port)})
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + _PATIENCE
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


@pytest.fixture(scope="session")
def serve(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Serves an app of this folder, "gradio_app:app" or "gradio_launch.py", once for all tests."""
    running: dict[tuple[str, ...], str] = {}
    with ExitStack() as stack:

        def start(app: str, **variables: str) -> str:
            key = (app, *sorted(variables.items()))
            if key not in running:
                log = tmp_path_factory.mktemp("served") / "log"
                running[key] = stack.enter_context(_served(app, upstream, log, **variables))
            return running[key]

        yield start


@pytest.fixture
def serve_from(upstream: str, tmp_path: Path) -> Callable[[Path], AbstractContextManager[str]]:
    """Serves the app of another folder, for as long as a block."""
    return lambda folder: _served("app:app", upstream, tmp_path / "log", folder)


@pytest.fixture(scope="session")
def serve_and_fail(upstream: str) -> Callable[..., str]:
    """What an app of this folder says that doesn't start."""

    def start(app: str, **variables: str) -> str:
        done = subprocess.run(
            _command(app, 0),
            cwd=APPS,
            env=_environment(upstream, variables),
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail(_HOW)
        pytest.skip(_HOW)
    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()
