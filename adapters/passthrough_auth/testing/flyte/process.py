"""The local endpoint in a process of its own.

Parent and child speak over the child's stdin and stdout: one JSON line each way, one at a time.
There is no second port and no route that an app under test could reach, and the child ends by
itself when the parent is gone, because its stdin ends then.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO, Any

from passthrough_auth.testing.flyte.backend import Backend
from passthrough_auth.testing.flyte.model import Call, Caller, Plan, Run, Setup, Task
from passthrough_auth.testing.flyte.server import Server

_STOP_SECONDS = 10.0


class ServerProcess:
    """Does in a child process what :class:`Backend` and :class:`Server` do in this one."""

    def __init__(self, setup: Setup) -> None:
        """Set up; nothing is started yet."""
        self._setup = setup
        self._lock = threading.Lock()
        self.port = 0
        self.ca_file = ""

    def start(self) -> None:
        """Start the child and wait until it serves. Raises RuntimeError."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "passthrough_auth.testing.flyte"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._ask(**_setup_to_json(self._setup))
        self.port, self.ca_file = ready["port"], ready["ca_file"]

    def stop(self) -> None:
        """End the child, by force if it doesn't go."""
        try:
            self._child.communicate(json.dumps({"do": "stop"}) + "\n", _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()

    def calls(self) -> Sequence[Call]:
        """See :meth:`Backend.calls`."""
        return tuple(_call_from_json(call) for call in self._ask(do="calls"))

    def runs(self) -> Sequence[Run]:
        """See :meth:`Backend.runs`."""
        return tuple(Run(**run) for run in self._ask(do="runs"))

    def fail(self, plan: Plan) -> None:
        """See :meth:`Backend.fail`."""
        self._ask(do="fail", plan=asdict(plan))

    def select_cluster(self, endpoint: str) -> None:
        """See :meth:`Backend.select_cluster`."""
        self._ask(do="select_cluster", endpoint=endpoint)

    def heal(self) -> None:
        """See :meth:`Backend.heal`."""
        self._ask(do="heal")

    def reset(self) -> None:
        """See :meth:`Backend.reset`."""
        self._ask(do="reset")

    def _ask(self, **request: Any) -> Any:
        with self._lock:
            line = self._exchange(json.dumps(request))
        if not line:
            raise RuntimeError("the Flyte endpoint's process is not running; its stderr says why")
        return json.loads(line)

    def _exchange(self, line: str) -> str:
        """Send a line to the child and return the one it answers, empty where it is gone."""
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None or requests.closed:
            return ""
        try:
            _send(requests, line)
        except BrokenPipeError:
            return ""
        return answers.readline()


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Serve as the child does: set up from the first line, answer the others.

    Ends when told to, or with the input.
    """
    setup = json.loads(requests.readline())
    backend = Backend(_setup_from_json(setup))
    server = Server(backend)
    server.start()
    try:
        _send(answers, json.dumps({"port": server.port, "ca_file": server.ca_file}))
        for line in requests:
            request = json.loads(line)
            if request["do"] == "stop":
                break
            _send(answers, json.dumps(_carry_out(backend, request)))
    finally:
        server.stop()


def _carry_out(backend: Backend, request: dict[str, Any]) -> Any:
    match request["do"]:
        case "calls":
            return [asdict(call) for call in backend.calls()]
        case "runs":
            return [asdict(run) for run in backend.runs()]
        case "fail":
            return backend.fail(Plan(**request["plan"]))
        case "select_cluster":
            return backend.select_cluster(request["endpoint"])
        case "heal":
            return backend.heal()
        case _:
            return backend.reset()


def _send(pipe: IO[str], line: str) -> None:
    pipe.write(line + "\n")
    pipe.flush()


def _setup_to_json(setup: Setup) -> dict[str, Any]:
    plain = asdict(setup)
    for caller in plain["callers"]:
        if not isinstance(caller["may_run"], bool):
            caller["may_run"] = sorted(caller["may_run"])
    return plain


def _setup_from_json(plain: dict[str, Any]) -> Setup:
    callers = [Caller(**caller) for caller in plain.pop("callers")]
    tasks = [Task(**task) for task in plain.pop("tasks")]
    return Setup(callers=callers, tasks=tasks, **plain)


def _call_from_json(call: dict[str, Any]) -> Call:
    headers = {name: tuple(values) for name, values in call.pop("headers").items()}
    return Call(**call, headers=headers)
