"""The output of Python itself: dev mode, warnings, asyncio's debug mode, faulthandler."""

import faulthandler
import gc
import tempfile
import threading
import time
import warnings

import pytest
from tests.secrets.planted import PAIRS, leaked
from tests.secrets.serving_apps import ask, serving_app

from passthrough_auth.core import (
    CallerThreadPoolExecutor,
    acting_as,
    current_credentials,
    snapshot,
)


@pytest.fixture
def taken():
    with acting_as(*PAIRS, bindings=[]):
        return snapshot()


@pytest.mark.parametrize("app", ["on_fastapi", "on_flask", "on_django_asgi"])
def test_dev_mode(app, monkeypatch):
    """It includes asyncio's debug mode, which logs slow callbacks and tasks."""
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    with serving_app(app, log="1") as running:
        for path in ("/slow", "/slow", "/crash", "/log", "/unawaited"):
            ask(running, path)
        deadline = time.monotonic() + 60
        while "was never awaited" not in running.log():
            assert time.monotonic() < deadline, running.log()
            time.sleep(0.02)
        log = running.log()

    assert "asyncio:Executing" in log or app == "on_flask"
    assert leaked(log) == set()


def test_faulthandler(taken):
    """It prints the files, lines and function names of every thread."""
    inside, leave = threading.Event(), threading.Event()

    def wait():
        credentials = current_credentials()
        inside.set()
        leave.wait(60)
        return credentials

    with CallerThreadPoolExecutor(1) as pool:
        waiting = taken.run(pool.submit, taken.run, wait)
        assert inside.wait(60)
        with tempfile.TemporaryFile("w+") as file:
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(0)
            dumped = file.read()
        leave.set()
        waiting.result()
    assert "test_faulthandler" in dumped
    assert "in _work_as" in dumped
    assert leaked(dumped) == set()


def test_warnings(taken):
    async def work():
        current_credentials()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        taken.arun(work)
        gc.collect()
        warnings.warn(f"{taken} {taken.run(current_credentials)!r}", stacklevel=1)

    texts = [str(each) for each in caught]
    assert any("never awaited" in text for text in texts)
    assert any("<Snapshot <Credentials" in text for text in texts)
    assert leaked("\n".join(texts)) == set()
