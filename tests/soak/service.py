"""The server under soak: one that can be killed, and comes back."""

import http.client
import json
import os
import signal
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from tests.conformance.matrix import NAMES
from tests.soak.app import BREAK, COLUMN, READY

from passthrough_auth.testing.conformance.column import Column
from passthrough_auth.testing.conformance.serving import COLUMNS
from passthrough_auth.testing.servers import START_SECONDS, Running, Server, serving

# The masters of these start a dead worker again. hypercorn's (0.18) ends the whole server instead;
# the others have no master, or none with one worker.
_MASTERS = ("gunicorn", "granian")
_OPTIONS = {
    "granian": ("--respawn-failed-workers",),
    # It keeps a connection in memory for that many seconds after the client has closed it.
    "hypercorn": ("--keep-alive", "1"),
}
_ASK_SECONDS = 60.0
ROOT = Path(__file__).parents[2]


@contextmanager
def service(server: Server, column: Column, broken: str | None) -> Generator["Service"]:
    """Serve a column on a server, with one worker."""
    with closing(Service(server, column, broken)) as started:
        yield started


class Service:
    """A running server. `running` changes when it is killed and has no master that restarts it."""

    def __init__(self, server: Server, column: Column, broken: str | None) -> None:
        self._server = server
        self._kind = server.name.partition("-")[0]
        # glibc gives each of many threads a heap of its own, and these take some ten thousand
        # requests to fill up; the size of a single heap is the memory in use.
        self._env = {
            "MALLOC_ARENA_MAX": "1",
            COLUMN: f"{column.interface}:{column.name}",
            COLUMNS: ",".join(NAMES[column.interface]),
            BREAK: broken or "",
        }
        self._stack = ExitStack()
        self.running = self._start()

    def _start(self) -> Running:
        app = f"tests.soak.app:{self._server.interface}"
        options = _OPTIONS.get(self._kind, ())
        served = serving(self._server, app, env=self._env, cwd=ROOT, options=options)
        return self._stack.enter_context(served)

    def close(self) -> None:
        """Stop it."""
        self._stack.close()

    def kill(self) -> None:
        """Kill the worker, without a chance to finish anything, and have another one started."""
        if self._kind in _MASTERS:
            for worker in _workers(self.running.pid):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            return
        os.kill(self.running.pid, signal.SIGKILL)
        self._stack.close()
        self.running = self._start()

    def wait(self) -> None:
        """Return when it answers. Raises `TimeoutError`."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                self.ask(READY)
                return
            time.sleep(0.05)
        raise TimeoutError(f"no answer after a kill; it printed:\n{self.running.log()}")

    def memory(self) -> int:
        """The resident set of all its processes, in bytes."""
        total = 0
        for process in [psutil.Process(self.running.pid), *_workers(self.running.pid)]:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def ask(self, path: str) -> dict[str, Any]:
        """The answer to one of the questions of `app`. Raises `OSError`, also if it is cut off."""
        running = self.running
        connection = http.client.HTTPConnection(running.host, running.port, timeout=_ASK_SECONDS)
        with closing(connection):
            try:
                connection.request("GET", path)
                answer: dict[str, Any] = json.loads(connection.getresponse().read())
            except http.client.HTTPException as error:
                raise OSError(repr(error)) from error
        return answer


def _workers(master: int) -> list[psutil.Process]:
    found = psutil.Process(master).children(recursive=True)
    return [each for each in found if not _is_tracker(each)]


def _is_tracker(process: psutil.Process) -> bool:
    """Whether it is the process in which multiprocessing keeps its books."""
    with suppress(psutil.Error):
        return "resource_tracker" in " ".join(process.cmdline())
    return False
