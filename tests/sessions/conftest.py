"""What the tests of sessions share: the apps, served once, and a browser."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.browser.chromium import CHROMIUM
from tests.sessions.serving import APPS, PATIENCE, command_for, echo, environment_for, served

_HOW = "there is no Chromium: apt-get install chromium"


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """The origin of a service that answers with the name of its caller."""
    with echo() as origin:
        yield origin


@pytest.fixture(scope="session")
def serve(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Serves an app of this folder, "gradio_app:app" or "gradio_launch.py", once for all tests."""
    running: dict[tuple[str, ...], str] = {}
    with ExitStack() as stack:

        def start(app: str, **variables: str) -> str:
            key = (app, *sorted(variables.items()))
            if key not in running:
                log = tmp_path_factory.mktemp("served") / "log"
                running[key] = stack.enter_context(served(app, upstream, log, **variables))
            return running[key]

        yield start


@pytest.fixture
def serve_from(upstream: str, tmp_path: Path) -> Callable[[Path], AbstractContextManager[str]]:
    """Serves the app of another folder, for as long as a block."""
    return lambda folder: served("app:app", upstream, tmp_path / "log", folder)


@pytest.fixture(scope="session")
def serve_and_fail(upstream: str) -> Callable[..., str]:
    """What an app of this folder says that doesn't start."""

    def start(app: str, **variables: str) -> str:
        done = subprocess.run(
            command_for(app, 0),
            cwd=APPS,
            env=environment_for(upstream, variables),
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
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
